"""The command line: wiring only. Results go to stdout, talk to stderr; exit 0, 1 (a check failed) or 2 (bad input).

Modules are imported inside the commands, so that `readhead --help` waits for none of them.
"""

from __future__ import annotations

import dataclasses
import io
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from readhead import __version__
from readhead.errors import ProgramError, ReadheadError, StoreError, UsageError
from readhead.options import Asking, Naming, Options, Refining, Replacing, read_share, with_options

if TYPE_CHECKING:
    from readhead.program import Program
    from readhead.session import Session
    from readhead.synthesis.files import Saved
    from readhead.synthesis.front import Wanted
    from readhead.synthesis.ollama.revise import Revision
    from readhead.synthesis.ollama.run import Drafted

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _tell_version(wanted: bool) -> None:  # noqa: FBT001 - the value of a flag
    if wanted:
        typer.echo(f"readhead {__version__}")
        raise typer.Exit


@app.callback()
def before_commands(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version, and end.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    """Reads transformer attention heads as code: a short Python program for every head, and how good it is."""


_INTERRUPTED = 130
"""What typer makes of Ctrl-C."""


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    # Where other work keeps the cores busy, torch's threads wait for one another, and spin: ten times slower in all.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read when torch is loaded
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 shows what it can
    arguments = sys.argv[1:] if argv is None else argv
    try:
        status = app(args=arguments or ["--help"], standalone_mode=False, prog_name="readhead")
    except ReadheadError as error:
        return _complain(str(error), error.hint)
    except typer.TyperException as error:  # wrong flags
        command = getattr(getattr(error, "ctx", None), "command_path", "readhead")
        return _complain(error.format_message(), f"see `{command} --help`")
    except KeyboardInterrupt:
        status = _INTERRUPTED
    if status == _INTERRUPTED:
        return _complain("interrupted", "what was saved is kept: run the command again to go on")
    return status if isinstance(status, int) else 0


Terms = Annotated[int, typer.Option(help="The most terms of a program, 1 to 32.", min=1, max=32)]
TokenSets = Annotated[
    bool, typer.Option("--token-sets/--no-token-sets", help="Whether programs may list tokens; no is --set-size 0.")
]
SetSize = Annotated[int, typer.Option(help="The most tokens in one set; 0 for no sets.", min=0, max=64)]
Seconds = float | None
TimeLimit = Annotated[
    Seconds, typer.Option(help="Seconds for the search; what is done by then is kept.", show_default=False)
]


DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change, and write nothing.")]


_CONTROLS = "For comparison on the same heads: zero, uniform, first in a list, or all, or none."


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the new workspace.")] = Path(),
    *,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document to stdout.")] = False,
) -> None:
    """Write a readhead.toml and a programs folder."""
    from readhead.workspace import init_workspace

    written = init_workspace(folder)
    told = "\n".join(f"wrote {path}" for path in written) or f"{folder} is a workspace already"
    _print(Options(json=json), {"folder": str(folder), "written": [str(path) for path in written]}, told)


@app.command()
@with_options
def explain(
    options: Options,
    name: Annotated[str | None, typer.Argument(metavar="[MODEL]", help="As --model.", show_default=False)] = None,
    terms: Terms = 8,
    *,
    token_sets: TokenSets = True,
    set_size: SetSize = 12,
    time_limit: TimeLimit = None,
    library_only: Annotated[bool, typer.Option("--library-only", help="Write no programs: rank the library.")] = False,
    order: Annotated[str, typer.Option(help="Heads of the curve, which first: iou, impact or greedy.")] = "iou",
    controls: Annotated[str, typer.Option(help=_CONTROLS)] = "uniform",
    joint: Annotated[
        bool, typer.Option("--joint", help="Fit all programs' constants together to the model's output.")
    ] = False,
) -> None:
    """The best program for every head, and what replacing costs."""
    from readhead.surrogates.planner import Plan

    if name is not None:
        options = replace(options, model=name)
    if joint and library_only:
        raise UsageError("joint constants are written into programs", hint="leave out --joint or --library-only")
    plan = Plan(order=order, controls=_controls(controls), joint=joint)  # type: ignore[arg-type]  # checked there
    with options.session() as session:
        wanted = None if library_only else _wanted(session, terms, set_size if token_sets else 0, time_limit)
        result = session.explain(session.library(), wanted=wanted, plan=plan)
        saved = session.save_programs(result.written) if session.workspace.lasts else []
    _print(options, result.as_dict(), result)  # after the block: while progress is drawn, stdout leads to stderr
    _tell_saved(saved, unsaved=result.written)


@app.command()
@with_options
def synthesize(
    options: Options,
    asking: Asking,
    heads: Annotated[
        list[str] | None, typer.Argument(metavar="[HEADS…]", help="Heads: L3H2; by default all.", show_default=False)
    ] = None,
    terms: Terms = 8,
    *,
    listed: Annotated[
        str | None, typer.Option("--heads", help="Heads in a list: L0H1,L3H2; as HEADS.", show_default=False)
    ] = None,
    writers: Annotated[
        str, typer.Option("--with", help="Who writes: symbolic (a search), ollama (a language model), or both.")
    ] = "symbolic",
    token_sets: TokenSets = True,
    set_size: SetSize = 12,
    time_limit: Annotated[
        Seconds,
        typer.Option(help="Seconds for all writing; beside ollama, the search has half.", show_default=False),
    ] = None,
    merge: Annotated[
        float, typer.Option(help="IoU that a head may lose by sharing another head's program.", min=0)
    ] = 0.0,
    front: Annotated[bool, typer.Option("--front", help="List the programs of every size.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the prompts for the language model, and ask nothing.")
    ] = False,
) -> int:
    """Write programs for heads into the programs folder."""
    from readhead.display import synthesis_view
    from readhead.heads import HeadId
    from readhead.synthesis.ollama.views import live_rows, prompts_view

    wanted_heads = [HeadId.parse(head) for head in [*(heads or ()), *(listed.split(",") if listed else ())]]
    searches, asks = _writers(writers)
    if dry_run and not asks:
        raise UsageError("only a language model is prompted", hint="add --with ollama to --dry-run")
    with options.session(asking.settings) as session:
        wanted = _wanted(session, terms, set_size if token_sets else 0, time_limit)
        drafting = asking.drafting(terms, session.seed, time_limit) if asks else None
        if dry_run and drafting:
            prompts = session.first_prompts(drafting, wanted_heads, wanted=wanted if searches else None)
        else:
            with live_rows() as show:
                result = session.synthesize(
                    wanted if searches else None, wanted_heads, merge=merge, drafting=drafting, show=show
                )
            saved = session.save_programs(result.programs) if session.workspace.lasts else []
    if dry_run:
        _print(options, {"prompts": [prompt.as_dict() for prompt in prompts]}, prompts_view(prompts))
        return 0
    document = result.as_dict() | {"files": [{"file": str(file.path), "note": file.note} for file in saved]}
    _print(options, document, synthesis_view(result, front=front))
    _tell_saved(saved, unsaved=result.programs)
    trouble = result.drafted.error if result.drafted else None
    return _complain(str(trouble), trouble.hint) if trouble else 0


@app.command()
@with_options
def extract(options: Options) -> None:
    """Build the workspace's pattern store, where it is missing."""
    from readhead.settings import find_root

    if options.workspace is None and find_root(Path.cwd()) is None:
        raise UsageError(
            "there is no workspace to keep patterns in", hint="make one with `readhead init`, or name a --workspace"
        )
    with options.session() as session:
        store = session.target().store
        facts = {"path": str(store.path), "sequences": store.sequences, "heads": store.heads, "length": store.length}
        facts |= {"bytes": store.path.stat().st_size, "seconds": session.seconds}
    _print(options, facts, f"{store.sequences} texts × {store.heads} heads, {store.length} tokens: {store.path}")


@app.command()
@with_options
def score(
    options: Options,
    arguments: Annotated[list[str], typer.Argument(metavar="FILES… HEADS…", help="Program files, then heads: L3H2.")],
    part: Annotated[str, typer.Option(help="Part of the corpus: fit, dev or held-out.")] = "held-out",
    failures: Annotated[int, typer.Option(help="How many of the worst rows to show.", min=0)] = 3,
) -> None:
    """Score program files on heads, by default those they name."""
    from readhead.display import score_view

    programs, heads = _files_and_heads("score", arguments)
    pairs = [(program, head) for program in programs for head in heads or _own_heads("score", program)]
    with options.session() as session:
        scores = session.score(pairs, part=_part(part), mistakes=failures)
        document = {"isolation": session.sandbox.isolation, "programs": [score.as_score_row() for score in scores]}
    _print(options, document, score_view(scores))


@app.command()
@with_options
def fit(
    options: Options,
    arguments: Annotated[list[str], typer.Argument(metavar="FILES… HEADS…", help="Program files, then heads: L3H2.")],
    *,
    dry_run: DryRun = False,
) -> None:
    """Fit program files' constants to heads, by default their own."""
    from readhead.display import fit_view
    from readhead.record import check_writable, rewrite

    programs, heads = _files_and_heads("fit", arguments)
    tasks = [(program, heads or _own_heads("fit", program)) for program in programs]
    for program in [] if dry_run else programs:
        check_writable(program)
    with options.session() as session:
        results = session.fit(tasks)
        isolation = session.sandbox.isolation
    for result in [] if dry_run else results:
        if result.changes:
            rewrite(result.program, result.source)
    rows = [{**result.as_dict(), "written": bool(result.changes) and not dry_run} for result in results]
    _print(options, {"isolation": isolation, "programs": rows}, fit_view(results, differences=dry_run))


@app.command()
@with_options
def rename(
    options: Options,
    naming: Naming,
    files: Annotated[list[Path], typer.Argument(help="Program files.")],
    *,
    dry_run: DryRun = False,
) -> None:
    """Have a language model explain programs and name their parts."""
    from readhead.program import read_program
    from readhead.record import check_writable, rewrite
    from readhead.synthesis.ollama.views import revisions_view

    programs = [read_program(file) for file in files]
    for program in [] if dry_run else programs:
        check_writable(program)
    with options.session(naming.settings) as session:
        revisions = session.rename(programs)
    for revision in [] if dry_run else revisions:
        if revision.is_changed:
            rewrite(revision.program, revision.source)
    rows = [{**revision.as_dict(), "written": revision.is_changed and not dry_run} for revision in revisions]
    _print(options, {"programs": rows}, revisions_view(revisions, differences=dry_run))


@app.command()
@with_options
def refine(
    options: Options,
    refining: Refining,
    arguments: Annotated[list[str], typer.Argument(metavar="FILES… HEADS…", help="Program files, then a head: L3H2.")],
    terms: Terms = 8,
    *,
    time_limit: Annotated[
        Seconds, typer.Option(help="Seconds for each program; what is answered by then is kept.", show_default=False)
    ] = None,
    dry_run: DryRun = False,
) -> int:
    """Have a language model revise programs by their worst rows."""
    from readhead.record import check_writable, rewrite
    from readhead.synthesis.ollama.views import live_rows, revisions_view

    programs, heads = _files_and_heads("refine", arguments)
    if len(heads) > 1:
        raise UsageError("a program is refined for one head at a time", hint="readhead refine FILE L3H2")
    pairs = [(program, head) for program in programs for head in heads or _own_heads("refine", program)[:1]]
    for program in [] if dry_run else programs:
        check_writable(program)
    done: list[tuple[Revision, Drafted]] = []
    trouble: ReadheadError | None = None
    with options.session(refining.settings) as session, live_rows() as show:
        try:
            for revision, run in session.refine(pairs, refining.drafting(terms, session.seed, time_limit), show=show):
                if revision.is_changed and not dry_run:
                    rewrite(revision.program, revision.source)
                done.append((revision, run))
                trouble = run.error
        except ReadheadError as error:
            if not done:
                raise
            trouble = error  # what is done already is told, and stays
    left = [program for program, _ in pairs[len(done) :]]
    rows = [
        {**revision.as_dict(), "written": revision.is_changed and not dry_run, "ollama": run.as_dict()}
        for revision, run in done
    ]
    document = {"programs": rows, "unreached": [str(program.path) for program in left]}
    _print(options, document, revisions_view([each for each, _ in done], differences=dry_run, unreached=left))
    return _complain(str(trouble), trouble.hint) if trouble else 0


@app.command()
@with_options
def guard(
    options: Options,
    asking: Asking,
    heads: Annotated[
        list[str] | None, typer.Argument(metavar="[HEADS…]", help="Heads: L3H2; by default four.", show_default=False)
    ] = None,
    terms: Terms = 8,
    *,
    time_limit: Annotated[
        Seconds, typer.Option(help="Seconds for all that is asked; what is answered is kept.", show_default=False)
    ] = None,
) -> None:
    """Whether the language model reads what it is shown, or recites."""
    from readhead.heads import HeadId
    from readhead.synthesis.ollama.views import guard_view, live_rows

    wanted = [HeadId.parse(head) for head in heads or ()]
    with options.session(asking.settings) as session, live_rows() as show:
        result = session.guard(wanted, asking.drafting(terms, session.seed, time_limit), show=show)
    _print(options, result.as_dict(), guard_view(result))


@app.command()
@with_options
def rank(options: Options) -> None:
    """The best program for every head, by its IoU on the dev texts."""
    with options.session() as session:
        result = session.explain(session.library(), part="dev")
    _print(options, result.as_dict(), result)


@app.command()
@with_options
def find(
    options: Options,
    file: Annotated[Path, typer.Argument(help="A program file.", show_default=False)],
    top: Annotated[int, typer.Option(help="How many heads to show.", min=1)] = 10,
) -> None:
    """Reverse search: the heads that a program explains best."""
    from readhead.display import found_table
    from readhead.program import read_program

    program = read_program(file)
    with options.session() as session:
        found = session.find(program, session.library())[:top]
    document = {"file": str(file), "part": "dev", "heads": [row.as_dict() for row in found]}
    _print(options, document, found_table(program, found))


@app.command()
@with_options
def show(
    options: Options,
    head: Annotated[str, typer.Argument(help="A head: L3H2.", show_default=False)],
    text: Annotated[str | None, typer.Option(help="Your own text; by default the first dev text.")] = None,
    program: Annotated[Path | None, typer.Option(help="A program file; by default the head's best.")] = None,
) -> None:
    """A head's pattern and a program's prediction, side by side."""
    from readhead.heads import HeadId
    from readhead.program import read_program

    wanted = HeadId.parse(head)
    with options.session() as session:
        view = session.show(wanted, read_program(program) if program else None, text)
    _print(options, view.as_dict(), view)


@app.command(name="replace")
@with_options
def replace_heads(
    options: Options,
    replacing: Replacing,
    *,
    curve: Annotated[
        bool, typer.Option("--curve", help="The perplexity at 5 to 100 % of the heads; --order may list several.")
    ] = False,
    controls: Annotated[str, typer.Option(help=_CONTROLS)] = "all",
    part: Annotated[str, typer.Option(help="Part of the corpus that is measured: fit, dev or held-out.")] = "held-out",
    within: Annotated[
        float, typer.Option(help="Stop when the interval is no wider than ± so many percent.", min=0, metavar="PCT")
    ] = 0.0,
    save: Annotated[Path | None, typer.Option(help="Save the switchboard to this file.")] = None,
) -> None:
    """Put programs into the model, and measure the perplexity."""
    from readhead.surrogates.planner import Plan

    orders = [order.strip() for order in replacing.order.split(",")]
    if len(orders) > 1 and not curve:
        raise UsageError("one order chooses the heads", hint="give one --order, or --curve for several")
    beside, told = _controls(controls), _part(part)
    plans = [Plan(order=order, controls=beside) for order in orders] if curve else []  # type: ignore[arg-type]  # as above
    selection = dataclasses.replace(replacing, order=orders[0]).selection(fraction=1.0 if curve else None)
    if save and not save.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {save.parent} to save in", hint="make it first, or name another file")
    with options.session() as session:
        study = session.select(selection)
        result = study.replacement(selection, controls=beside, plans=plans, within=within / 100, part=told)
    _print(options, result.as_dict(), result)
    if save:
        result.board.save(save)
        _talk(f"the switchboard is in {save}")


@app.command()
@with_options
def generate(
    options: Options,
    replacing: Replacing,
    prompt: Annotated[str, typer.Argument(help="The beginning of the text.")],
    tokens: Annotated[int, typer.Option(help="The most tokens to write.", min=1)] = 60,
    temperature: Annotated[float, typer.Option(help="0 for the likeliest token; 1 to draw.", min=0)] = 0.0,
) -> None:
    """Text of the hybrid model beside the neural one's.

    By default a quarter of the heads is replaced.
    """
    from readhead.surrogates.views import live_continuation

    selection = replacing.selection(fraction=0.25)
    with options.session() as session:
        study = session.select(selection)
        heads = study.selected(selection)
        result = live_continuation(study.generate(heads, prompt, tokens=tokens, temperature=temperature))
    _print(options, result.as_dict() | {"replaced": [str(head) for head in heads]}, result)


@app.command()
@with_options
def qa(
    options: Options,
    replacing: Replacing,
    *,
    tasks: Annotated[
        str, typer.Option(help="Tasks in a list; `stories` ships, others are the harness's own.")
    ] = "stories",
    fraction: Annotated[str | None, typer.Option(help="Shares of all heads: 0,0.25,0.5.", show_default=False)] = None,
    limit: Annotated[int | None, typer.Option(help="Questions of each task, the first ones.")] = None,
    batch_size: Annotated[int, typer.Option(help="Texts that are read at once.")] = 16,
    include: Annotated[Path | None, typer.Option(help="A folder with task files (.yaml) of your own.")] = None,
) -> None:
    """Question answering before and after; needs the extra `eval`."""
    from readhead.evaluation import Questions

    others = replacing.heads or replacing.budget or replacing.switchboard
    if others and fraction is not None:
        raise UsageError("say in one way which heads to replace", hint="--fraction 0,0.25,0.5, or one of the others")
    fractions = [] if others else [read_share(share) for share in (fraction or "0,0.25,0.5").split(",")]
    selection = replacing.selection(fraction=max(fractions, default=None))
    questions = Questions.load(tasks.split(","), include=include, limit=limit)
    with options.session() as session:
        study = session.select(selection)
        result = study.answers(selection, fractions, questions, batch_size=batch_size)
    _print(options, result.as_dict(), result)


@app.command()
@with_options
def bisect(
    options: Options,
    replacing: Replacing,
    prompt: Annotated[str, typer.Argument(help="A text on which the hybrid model goes astray.")],
    share: Annotated[float, typer.Option(help="Share of the harm that has to go.")] = 0.8,
) -> None:
    """Which replaced heads broke a prompt.

    By default half of the heads are replaced.
    """
    selection = replacing.selection(fraction=0.5)
    with options.session() as session:
        study = session.select(selection)
        result = study.guilt(study.selected(selection), prompt, share=share)
    _print(options, result.as_dict(), result)


@app.command()
def ollama(
    *,
    model: Annotated[
        str | None, typer.Option(help="As Ollama names it; by default that of readhead.toml.", show_default=False)
    ] = None,
    workspace: Annotated[
        Path | None, typer.Option(help="Folder of a readhead.toml; by default the nearest.", show_default=False)
    ] = None,
    templates: Annotated[
        bool, typer.Option("--templates", help="Copy the prompts' templates into the workspace, to be changed there.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document to stdout.")] = False,
) -> int:
    """Whether a local language model can be asked; exit 1 if not."""
    from readhead.settings import CONFIG, Settings, find_root, read_settings
    from readhead.synthesis.ollama.prompts import FOLDER, copy_templates
    from readhead.synthesis.ollama.server import inspect_server

    root = workspace or find_root(Path.cwd())
    if templates:
        if root is None:
            raise UsageError("there is no workspace for templates", hint="make one with `readhead init`")
        if not (root / CONFIG).is_file():
            raise UsageError(f"{root} has no {CONFIG}", hint=f"name a workspace, or make it one: readhead init {root}")
        written = copy_templates(root / FOLDER)
        told = "\n".join(f"wrote {path}" for path in written) or f"{root / FOLDER} has them all"
        _print(Options(json=json), {"written": [str(path) for path in written]}, told)
        return 0
    settings = read_settings(root / CONFIG) if root and (root / CONFIG).exists() else Settings()
    wanted = settings.ollama if model is None else replace(settings.ollama, model=model)
    status = inspect_server(wanted)
    told = status.message + (f"\n  {status.cure}" if status.cure else "")
    _print(Options(json=json), status.as_dict(), told)
    return int(status.state != "ready")


@app.command()
def lsp(
    *,
    tcp: Annotated[
        str | None, typer.Option(help="Serve HOST:PORT on this machine, for debugging.", show_default=False)
    ] = None,
    stdio: Annotated[bool, typer.Option("--stdio", help="As without it; some editors add it.")] = False,
) -> None:
    """The language server, for editors, on stdin and stdout."""
    import importlib

    if stdio and tcp is not None:
        raise UsageError("--stdio and --tcp exclude each other", hint="leave one of them out")
    importlib.import_module("readhead_server.server").serve(tcp)


@app.command()
def tui(
    workspace: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps state; by default that of the nearest readhead.toml.", show_default=False),
    ] = None,
) -> None:
    """The terminal app: walk the heads and flip them."""
    import importlib

    importlib.import_module("readhead_tui.start").run(workspace)


@app.command()
@with_options
def record(options: Options, files: Annotated[list[Path], typer.Argument(help="Program files.")]) -> None:
    """Write held-out scores into program files' metadata."""
    from readhead.display import score_view
    from readhead.program import read_program
    from readhead.record import record as record_scores

    with options.session() as session:
        scores = record_scores([read_program(file) for file in files], session)
    _print(options, {"programs": [score.as_score_row() for score in scores]}, score_view(scores))


@app.command()
@with_options
def check(
    options: Options,
    files: Annotated[
        list[Path] | None, typer.Argument(help="Program files; by default the workspace's.", show_default=False)
    ] = None,
    tolerance: Annotated[float, typer.Option(help="How far an IoU may move.", min=0)] = 0.005,
    junit: Annotated[Path | None, typer.Option(help="Also write JUnit XML to this file.")] = None,
) -> int:
    """Compute recorded scores again; exit 1 where one does not hold."""
    from readhead import record as recording
    from readhead.display import check_table
    from readhead.library import load_programs
    from readhead.patterns import write_beside
    from readhead.program import read_program

    with options.session() as session:
        programs = [read_program(file) for file in files] if files else load_programs(session.workspace.programs)
        results = recording.check(programs, session, tolerance=tolerance)
    if not results:
        raise UsageError("no recorded scores to check", hint="write some with `readhead record FILES…`")
    if junit:
        write_beside(junit, recording.junit(results))
    drifted = any(result.reason for result in results)
    _print(options, {"ok": not drifted, "checks": [result.as_dict() for result in results]}, check_table(results))
    return int(drifted)


def _files_and_heads(command: str, arguments: Sequence[str]) -> tuple[list[Program], list[Any]]:
    """Program files and heads, told apart by their spelling."""
    from readhead.heads import HeadId, is_head
    from readhead.program import read_program

    files = [argument for argument in arguments if not is_head(argument)]
    if not files:
        raise UsageError(f"no program file to {command}", hint=f"readhead {command} FILE L3H2")
    return [read_program(file) for file in files], [HeadId.parse(item) for item in arguments if is_head(item)]


def _own_heads(command: str, program: Program) -> Sequence[Any]:
    """The heads of a program's metadata."""
    if program.metadata.heads:
        return program.metadata.heads
    if program.findings:
        raise ProgramError(f"{program.path}:{program.findings[0]}", hint="mend the file, or name a head: L3H2")
    raise UsageError(f"{program.path} names no heads", hint=f"name some: readhead {command} FILE L3H2")


def _tell_saved(saved: Sequence[Saved], *, unsaved: Sequence[Program]) -> None:
    for file in saved:
        if file.note:
            _talk(file.note)
    if saved:
        _talk(f"programs in {saved[0].path.parent}: {len(saved)}")
    elif unsaved:
        _talk("the programs were not saved: make a workspace with `readhead init`, or name a --workspace")


def _writers(listed: str) -> tuple[bool, bool]:
    """Whether to search, and whether to ask a language model."""
    names = {name.strip() for name in listed.split(",")}
    if not names <= {"symbolic", "ollama"}:
        raise UsageError(f"there is no writer {listed!r}", hint="write --with symbolic, ollama, or symbolic,ollama")
    return "symbolic" in names, "ollama" in names


def _wanted(session: Session, terms: int, set_size: int, time_limit: float | None) -> Wanted:
    from readhead.synthesis.files import check_folder
    from readhead.synthesis.front import Effort, Wanted

    if session.workspace.lasts:
        check_folder(session.workspace.programs)  # before any work
    return Wanted(terms=terms, seed=session.seed, time_limit=time_limit, effort=Effort(set_size=set_size))


def _controls(listed: str) -> tuple[Any, ...]:
    """`zero,uniform`, `all` or `none`, read."""
    from readhead.surrogates.switchboard import Control

    known = [each.value for each in Control]
    named = {"all": known, "none": []}.get(listed, [name.strip() for name in listed.split(",")])
    for name in named:
        if name not in known:
            raise UsageError(f"there is no control {name!r}", hint=f"controls: {', '.join(known)}, all, none")
    return tuple(map(Control, named))


def _part(name: str) -> Any:  # noqa: ANN401 - a Part, checked here
    from readhead.corpus import PARTS

    if name not in PARTS:
        raise UsageError(f"there is no part {name!r}", hint=f"parts: {', '.join(PARTS)}")
    return name


def _print(options: Options, document: dict[str, Any], view: object) -> None:
    try:
        if options.json or isinstance(view, str):
            print(dumps(document, indent=1) if options.json else view)  # noqa: T201 - the command's result
        else:
            from rich.console import Console

            Console().print(view, highlight=False)
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that nothing fails again at the exit
        if not isinstance(error, BrokenPipeError):  # which is a reader such as `head`, who has seen enough
            raise StoreError(f"the result cannot be printed: {error.strerror}", hint="check the disk") from error


def _talk(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201 - the command's voice


def _complain(message: str, hint: str) -> int:
    _talk(f"readhead: {message}" + (f"\n  {hint}" if hint else ""))
    return 2


if __name__ == "__main__":
    sys.exit(main())
