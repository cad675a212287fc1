"""Code actions that take a while, and the commands behind them: fit, pick from the front, refine, record, create.

1. An action only names a command; the command takes the document as it is when it begins.
2. The engine works, in the client's sight, and can be stopped.
3. What came of it is an edit of that version of the document, and the answer of the command; a client that applies no
   edits has the text there.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types as lsp

from readhead.program import metadata_block
from readhead.record import without_record
from readhead.synthesis.literals import Constant, free_constants
from readhead_server import offers
from readhead_server.working import Report, answer_of, open_program, tell, work

if TYPE_CHECKING:
    from readhead_server.documents import Document
    from readhead_server.project import Project
    from readhead_server.server import ReadheadServer

REWRITE = lsp.CodeActionKind.RefactorRewrite
FIT, PICK, REFINE, RECORD, CREATE = (f"readhead.{name}" for name in ("fit", "pick", "refine", "record", "create"))
_OFFERED = 6
"""Programs of a front that a message offers, the largest; more would not fit."""


@dataclass(frozen=True)
class Outcome:
    """What a command answers."""

    source: str
    """The new text, or the old one where that is kept."""
    applied: bool
    """Whether the document has it."""
    told: str
    """What came of it, in a line."""
    path: str = ""
    """Of a new file."""


# ---- actions ---------------------------------------------------------------------------------------------------------


def code_actions(
    document: Document, wanted: lsp.Range, only: Sequence[lsp.CodeActionKind | str] | None
) -> list[lsp.CodeAction]:
    """What can be done with a program, none of it before the user asks."""
    if document.findings or (only is not None and not any(_is_within(REWRITE, kind) for kind in only)):
        return []
    actions = []
    heads = ", ".join(document.heads)
    constants = free_constants(document.source) if heads else []
    if constants:
        actions.append(_action(f"Fit all {len(constants)} constants to {heads}", FIT, document.uri))
        here = constant_at(document, wanted.start)
        if here is not None:
            title = f"Fit only {_written(document, here)} to {heads}"
            place = {"line": wanted.start.line, "character": wanted.start.character}
            actions.append(_action(title, FIT, document.uri, place))
    for head in document.heads:
        actions.append(_action(f"Pick a program for {head} by size and IoU", PICK, document.uri, head))
        actions.append(_action(f"Refine for {head} with Ollama", REFINE, document.uri, head))
    if heads:
        actions.append(_action("Record the scores in the metadata", RECORD, document.uri))
    return actions


def _is_within(kind: str, wanted: str) -> bool:
    return kind == wanted or kind.startswith(f"{wanted}.")


def _action(title: str, command: str, *arguments: Any) -> lsp.CodeAction:  # noqa: ANN401 - JSON
    call = lsp.Command(title=title, command=command, arguments=list(arguments))
    return lsp.CodeAction(title, kind=REWRITE, command=call)


def constant_at(document: Document, position: lsp.Position) -> Constant | None:
    """The free constant under the cursor, or right before it."""
    place = len(document.source[: document.lines.offset(position)].encode())
    return next((each for each in free_constants(document.source) if each.start <= place <= each.end), None)


def _written(document: Document, constant: Constant) -> str:
    return document.source.encode()[constant.start : constant.end].decode()


# ---- commands --------------------------------------------------------------------------------------------------------


async def fit(ls: ReadheadServer, uri: str, position: lsp.Position | None = None) -> Outcome | None:
    """Fit a document's constants to its heads, or only the one at a position."""
    known = _known(ls, uri)
    if known is None:
        return None
    document, project = known
    given: dict[str, Any] = {}
    if position is not None:
        constant = constant_at(document, position)
        if constant is None:
            tell(
                ls,
                "No constant that is free to move stands there",
                "floats in functions are, and lines marked `# free`",
            )
            return None
        given["only"] = [constant.start]
    if not document.heads:
        tell(ls, f"{document.path.name} names no heads", 'give it a metadata block: # heads = ["L0H1"]')
        return None

    async def ask(_: Report) -> Any:  # noqa: ANN401 - JSON
        return await project.ask("fit", source=document.source, heads=document.heads, name=document.name, **given)

    title = f"Fit {document.name}"
    found = await work(ls, title, project, ask, stage="fit")
    if found is None:
        return None
    if found["kept"]:
        return _kept(ls, document, title, found["kept"])
    dev = found["dev"]
    told = f"{len(found['changes'])} constants moved, IoU {dev['before']:.3f} → {dev['after']:.3f} (dev)"
    return await _offered(ls, document, found["source"], title, told)


async def front(ls: ReadheadServer, uri: str, head: str) -> list[dict[str, Any]] | None:
    """The programs for a head, one for each size, with their IoU on `dev`; each text as it would be in the document."""
    known = _known(ls, uri)
    if known is None:
        return None
    document, project = known
    rows = await work(
        ls, f"Programs for {head}", project, lambda _: project.ask("front", head=head), stage="synthesize"
    )
    return None if rows is None else [row | {"source": in_place_of(document, row["source"])} for row in rows]


async def pick(ls: ReadheadServer, uri: str, head: str, terms: int | None = None) -> Outcome | None:
    """Put one of the programs for a head into a document: that of so many terms, or the one that the user picks."""
    known = _known(ls, uri)
    rows = None if known is None else await front(ls, uri, head)
    if known is None or rows is None:
        return None
    document = known[0]
    title = f"Program for {head}"
    if terms is None:
        row = await _picked(ls, head, rows)
        if row is None:
            return None
    else:
        row = next((each for each in rows if each["terms"] == terms), None)
        if row is None:
            sizes = ", ".join(str(each["terms"]) for each in rows)
            tell(ls, f"{title}: there is none of {terms} terms", f"there are those of {sizes}")
            return None
    return await _offered(ls, document, row["source"], title, in_short(row))


async def _picked(ls: ReadheadServer, head: str, rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What the user picks of the largest programs of a front."""
    choices = {in_short(row): row for row in rows[-_OFFERED:]}
    params = lsp.ShowMessageRequestParams(
        lsp.MessageType.Info, f"Which program for {head}?", [lsp.MessageActionItem(title) for title in choices]
    )
    answer = await answer_of(ls.window_show_message_request_async(params))
    return None if answer is None else choices.get(answer.title)


def in_short(row: dict[str, Any]) -> str:
    """A program of a front in a line."""
    mark = ", worth its size" if row.get("chosen") else ""
    return f"{row['terms']} terms, IoU {row['iou']:.3f}{mark}"


def in_place_of(document: Document, source: str) -> str:
    """A program's text with the document's metadata, less the scores that were another text's."""
    own, other = metadata_block(document.source), metadata_block(source)
    if own is None or other is None:
        return source
    return without_record(source[: other.start()] + own[0] + source[other.end() :])


async def refine(ls: ReadheadServer, uri: str, head: str) -> Outcome | None:
    """Ask the language model for a closer program; the user decides whether to take it."""
    known = _known(ls, uri)
    if known is None:
        return None
    document, project = known

    async def ask(report: Report) -> Any:  # noqa: ANN401 - JSON
        def show(row: dict[str, Any]) -> None:
            iou = row.get("iou")
            report(f"{row['name']}: {row['stage']}" + ("" if iou is None else f", IoU {iou:.3f}"), None)

        return await project.ask("refine", source=document.source, head=head, name=document.name, on_part=show)

    title = f"Refine {document.name} for {head}"
    found = await work(ls, title, project, ask)
    if found is None:
        return None
    if not found["changed"]:
        return _kept(ls, document, title, found["kept"] or "nothing better was found")
    parts = ", ".join(
        f"{found[part]['before']:.3f} → {found[part]['after']:.3f} ({part})" for part in ("fit", "dev") if part in found
    )
    told = f"IoU with {head} {parts}" if parts else "another text"
    return await _offered(ls, document, found["source"], title, told, confirm=f"{title}: {told}")


async def record(ls: ReadheadServer, uri: str) -> Outcome | None:
    """Write a program's scores on `held-out` into its metadata."""
    known = _known(ls, uri)
    if known is None:
        return None
    document, project = known

    async def ask(_: Report) -> Any:  # noqa: ANN401 - JSON
        return await project.ask("record", source=document.source, name=document.name)

    title = f"Record {document.name}"
    found = await work(ls, title, project, ask, stage="score")
    if found is None:
        return None
    told = ", ".join(f"{row['head']} IoU {row['iou']:.3f} (held-out)" for row in found["scores"])
    return await _offered(ls, document, found["source"], title, told)


async def create(ls: ReadheadServer, uri: str, head: str) -> Outcome | None:
    """A new file with the program that the symbolic search chooses for a head; `uri` is anything of the workspace."""
    project = ls.project_at(uri)
    if project is None:
        tell(ls, f"{uri} is in no workspace", "make a readhead.toml: `readhead init`")
        return None
    title = f"Program for {head}"
    rows = await work(ls, title, project, lambda _: project.ask("front", head=head), stage="synthesize")
    if not rows:
        return None
    row = next((each for each in rows if each.get("chosen")), rows[-1])
    path = free_path(Path(project.engine.facts["programs"]), head)
    applied = offers.creates(ls.client_capabilities) and await offers.apply(
        ls, offers.created(path, row["source"]), f"{title}: {path.name}"
    )
    if applied and ls.client_capabilities.window and ls.client_capabilities.window.show_document:
        await answer_of(ls.window_show_document_async(lsp.ShowDocumentParams(path.as_uri(), take_focus=True)))
    return Outcome(row["source"], applied, in_short(row), str(path))


def free_path(folder: Path, head: str) -> Path:
    """`L3H2.py`, or `L3H2_2.py` where that is taken, and so on."""
    names = itertools.chain([head], (f"{head}_{number}" for number in itertools.count(2)))
    paths = (folder / f"{name}.py" for name in names)
    return next(path for path in paths if not (path.exists() or path.is_symlink()))


# ---- shared ----------------------------------------------------------------------------------------------------------


def _known(ls: ReadheadServer, uri: str) -> tuple[Document, Project] | None:
    """A document without findings, which may run; else the user is told."""
    known = open_program(ls, uri)
    if known is None:
        return None
    document, project, _ = known
    if document.findings:
        tell(ls, f"{document.path.name}: {document.findings[0]}", "mend it first")
        return None
    return document, project


def _kept(ls: ReadheadServer, document: Document, title: str, why: str) -> Outcome:
    tell(ls, f"{title}: kept as it was: {why}", kind=lsp.MessageType.Info)
    return Outcome(document.source, applied=False, told=f"kept as it was: {why}")


async def _offered(
    ls: ReadheadServer, document: Document, source: str, title: str, told: str, *, confirm: str = ""
) -> Outcome:
    applied = await offers.offer(ls, document, source, title, confirm=confirm)
    if applied:
        tell(ls, f"{title}: {told}", kind=lsp.MessageType.Info)
    return Outcome(source, applied, told)
