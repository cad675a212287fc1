"""Revising one program with a language model: better names for the same behaviour, or a closer prediction.

*Rename*: a new explanation and new names are accepted only if the program predicts the same on all `fit` and `dev`
texts, and no comment is lost. *Refine*: the program goes into the prompt with the rows that it predicts worst; the best
revision is accepted only if it is closer to the head on `fit`, and no farther on `dev`.
"""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn

import numpy as np

from readhead.errors import OllamaError, ProgramError, UsageError
from readhead.heads import HeadId
from readhead.library import predict, score_pairs
from readhead.program import (
    Program,
    find_nodes,
    metadata_block,
    node_text,
    parse,
    python_tree,
    syntax_tree,
    without_metadata,
)
from readhead.record import without_record
from readhead.sandbox import Failure
from readhead.synthesis.ollama.asking import Work, ask_for_drafts
from readhead.synthesis.ollama.replies import Draft, as_source
from readhead.synthesis.ollama.run import Desk, Drafted, Drafting, Run
from readhead.synthesis.ollama.schedule import draft_programs, run_work
from readhead.synthesis.ollama.summary import unnamed

_SAME: Final = 1e-6
"""Weights that differ by no more are the same: the order of a sum may be another one."""
_LEAST: Final = 1e-4
"""IoU on `fit` that a refined program has to gain."""
_WORSE: Final = 1e-3
"""IoU on `dev` that it may lose."""


@dataclass(frozen=True)
class Revision:
    """What came of revising a program."""

    program: Program
    """As it was."""
    source: str
    """The new text, or the old one where that is kept."""
    kept: str = ""
    """Why the old text is kept; empty where it is not."""
    notes: tuple[str, ...] = ()
    """What the user should know of the answers."""
    head: HeadId | None = None
    """Of a refinement: the head that it is to predict."""
    iou: tuple[tuple[float, float], ...] = ()
    """Of a refinement: on `fit` and on `dev`, before and after."""
    is_renamed: bool = True
    """Of a renaming: whether names changed, and not the explanation alone."""

    @property
    def is_changed(self) -> bool:
        """Whether there is a new text."""
        return self.source != self.program.source

    @property
    def outcome(self) -> str:
        """In a line."""
        if self.kept:
            return f"kept as it was: {self.kept}"
        if not self.iou:
            changed = "renamed" if self.is_renamed else "new explanation; names as they were"
            return f"{changed}; it predicts the same"
        (fit, fit_after), (dev, dev_after) = self.iou
        return f"IoU with {self.head} {fit:.3f} → {fit_after:.3f} (fit), {dev:.3f} → {dev_after:.3f} (dev)"

    def as_dict(self) -> dict[str, Any]:
        """One row of `readhead rename --json` and `readhead refine --json`."""
        figures = {
            part: {"before": before, "after": after}
            for part, (before, after) in zip(("fit", "dev"), self.iou, strict=False)
        }
        return {
            "file": str(self.program.path or self.program.name),
            "head": None if self.head is None else str(self.head),
            "changed": self.is_changed,
            "kept": self.kept or None,
            "notes": list(self.notes),
            **figures,
            "source": self.source,
        }


def rename_programs(desk: Desk, programs: Sequence[Program], *, model: str = "") -> list[Revision]:
    """Ask for a better explanation and better names for each program; its behaviour stays, and so do its comments.

    Args:
        desk: what it takes.
        programs: to be renamed.
        model: the name of the model that they are for, which no prompt tells, as little as its heads.

    Raises:
        ProgramError: if a program has findings, or fails on every text.
        OllamaError: if the server cannot be asked, or fails on the way.
    """
    _refuse_findings(programs)
    texts = [*desk.target.corpus["fit"], *desk.target.corpus["dev"]]
    for program, (weights, failures) in zip(programs, predict(programs, texts, desk.sandbox), strict=True):
        if all(each is None for each in weights):
            _refuse_failing(program, failures[0])
    named = {str(program.path or program.name): program for program in programs}
    found: dict[str, list[Draft]] = {}

    def begin(run: Run, name: str) -> Work:
        def prompt(_: int) -> str:
            return desk.prompts.rename(unnamed(named[name].source, model))

        drafts = yield from ask_for_drafts(run, name, "rename", prompt)
        found[name] = [each.draft for each in drafts]

    run = run_work(desk, list(named), begin, Drafting(count=1, rounds=0), {name: named[name] for name in named})
    _raise_error(run)
    return [
        _renamed(
            desk, program, found.get(name, []), tuple(note for note in run.notes if note.startswith(f"{name},")), model
        )
        for name, program in named.items()
    ]


def _renamed(desk: Desk, program: Program, drafts: Sequence[Draft], notes: tuple[str, ...], model: str) -> Revision:
    block = metadata_block(program.source)
    why = "nothing usable was answered"
    for draft in drafts:
        new = parse(_with_names(as_source(draft, block[0] if block else ""), program.source, model))
        why = _difference(desk, program, new) or _lost_comment(program, new)
        if why:
            continue
        is_renamed = _bound_names(new) != _bound_names(program)
        if is_renamed or new.explanation != program.explanation:
            return Revision(program, new.source, notes=notes, is_renamed=is_renamed)
        why = "neither its names nor its explanation changed"
    return Revision(program, program.source, why, notes)


def _with_names(source: str, old: str, model: str) -> str:
    """The new text with what its prompt had left out of the old one's comments: which heads and model they name."""
    told: dict[str, list[str]] = defaultdict(list)
    for comment in _comments(old):
        if (shown := unnamed(comment, model)) != comment:
            told[shown].append(comment)
    text = source.encode(errors="replace")
    for node in reversed(find_nodes(syntax_tree(source), "(comment) @comment")):
        if told[node_text(node)]:
            text = text[: node.start_byte] + told[node_text(node)].pop().encode() + text[node.end_byte :]
    return text.decode()


def _lost_comment(old: Program, new: Program) -> str:
    """Which comment of a program the new text lacks; empty where it has them all."""
    before, after = (Counter(" ".join(each.split()) for each in _comments(program.source)) for program in (old, new))
    lost = next(iter(before - after), None)
    return f"the new text has lost a comment: {lost}" if lost else ""


def _comments(source: str) -> list[str]:
    """The comments of a program's text, apart from its metadata."""
    root = syntax_tree(without_metadata(source))
    return [node_text(node) for node in find_nodes(root, "(comment) @comment")]


def _bound_names(program: Program) -> set[str]:
    """Names that a program gives: to functions, their arguments, variables and constants."""
    nodes = list(ast.walk(python_tree(program.source)))
    functions = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    arguments = {node.arg for node in nodes if isinstance(node, ast.arg)}
    return (
        functions
        | arguments
        | {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    )


def _difference(desk: Desk, old: Program, new: Program) -> str:
    """How two programs differ on `fit` and `dev`; empty where they predict the same."""
    if new.findings:
        return f"the new text is no program: {new.findings[0]}"
    texts = [*desk.target.corpus["fit"], *desk.target.corpus["dev"]]
    (before, failed), (after, failures) = predict([old, new], texts, desk.sandbox)
    if failures and not failed:
        return f"the new text fails: {failures[0].message}"
    for place, (was, now) in enumerate(zip(before, after, strict=True)):
        if (was is None) != (now is None):
            return f"the new text fails where the old one does not, or the other way round: text {place}"
        if was is not None and now is not None and (apart := float(np.abs(was - now).max())) > _SAME:
            return f"the new text predicts something else: weights differ by {apart:.2g} on text {place}"
    return ""


def refine_program(desk: Desk, program: Program, head: HeadId, wanted: Drafting) -> tuple[Revision, Drafted]:
    """Ask for better versions of a program for a head, and take the best if it is better.

    Args:
        desk: what it takes.
        program: to be refined.
        head: that it is to predict.
        wanted: rounds, width and budget; no programs are asked for that do not start from this one.

    Raises:
        UsageError: if no round is wanted.
        ProgramError: if the program has findings, or fails on a text of `fit`.
        OllamaError: if the server cannot be asked, or fails before there is a candidate.
    """
    if wanted.rounds < 1:
        raise UsageError("a program is refined in a round or more", hint="give --rounds 1 or more")
    _refuse_findings([program])
    ((weights, failures),) = predict([program], desk.target.corpus["fit"], desk.sandbox)
    if any(each is None for each in weights):
        _refuse_failing(program, failures[0])
    run = draft_programs(desk, [head], replace(wanted, count=0), starts={head: program})
    block = metadata_block(program.source)
    best = next(iter(run.eligible(head)), None)
    notes = tuple(run.notes)
    if best is None:
        _raise_error(run)
        return Revision(program, program.source, "nothing that was answered can be used", notes, head), run
    revised = parse(without_record(_with_block(best.source, block[0] if block else "")), name=program.name)
    pairs = [(program, head), (revised, head)]
    fit, dev = (score_pairs(pairs, desk.target, desk.sandbox, part=part) for part in ("fit", "dev"))
    figures = tuple((before.iou, after.iou) for before, after in (fit, dev))
    (fit_before, fit_after), (dev_before, dev_after) = figures
    kept = ""
    if fit_after <= fit_before + _LEAST:
        kept = f"no revision is closer to {head} on fit: {fit_after:.3f} against {fit_before:.3f}"
    elif dev_after < dev_before - _WORSE:
        kept = f"better on fit, worse on dev: the IoU would fall from {dev_before:.3f} to {dev_after:.3f} there"
    return Revision(program, program.source if kept else revised.source, kept, notes, head, figures), run


def _with_block(source: str, text: str) -> str:
    """A program's text with another block of metadata in the place of its own."""
    own = metadata_block(source)
    if own is None:
        return source
    rest = source[own.end() :]
    return source[: own.start()] + (text + rest if text else rest.lstrip("\n"))


def _refuse_findings(programs: Sequence[Program]) -> None:
    for program in programs:
        if program.findings:
            raise ProgramError(f"{program.path or program.name}:{program.findings[0]}", hint="mend the file first")


def _refuse_failing(program: Program, failure: Failure) -> NoReturn:
    line = f", line {failure.line}" if failure.line else ""
    raise ProgramError(
        f"{program.path or program.name}{line}: {failure.message}", hint=failure.hint or "mend the program first"
    )


def _raise_error(run: Drafted) -> None:
    if run.error is not None:
        raise OllamaError(str(run.error), hint=run.error.hint)
