"""Revising one program with a language model: better names for the same behaviour, or a closer prediction.

*Rename*: a new explanation and new names are accepted only if the program predicts the same on all `fit` and `dev`
texts. *Refine*: the program goes into the prompt with the rows that it predicts worst; the best revision is accepted
only if it is closer to the head on `fit`, and no farther on `dev`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from readhead.errors import OllamaError, ProgramError
from readhead.heads import HeadId
from readhead.library import predict, score_pairs
from readhead.program import Program, metadata_block, parse, without_metadata
from readhead.record import without_record
from readhead.synthesis.ollama.asking import Work, ask_for_drafts
from readhead.synthesis.ollama.replies import Draft, as_source
from readhead.synthesis.ollama.run import Desk, Drafted, Drafting, Run
from readhead.synthesis.ollama.schedule import draft_programs, run_work

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
            return "renamed; it predicts the same"
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


def rename_programs(desk: Desk, programs: Sequence[Program]) -> list[Revision]:
    """Ask for a better explanation and better names for each program; its behaviour stays.

    Raises:
        ProgramError: if a program has findings.
        OllamaError: if the server cannot be asked, or fails on the way.
    """
    _refuse_findings(programs)
    named = {str(program.path or program.name): program for program in programs}
    found: dict[str, list[Draft]] = {}

    def begin(run: Run, name: str) -> Work:
        def prompt(_: int) -> str:
            return desk.prompts.rename(without_metadata(named[name].source))

        drafts = yield from ask_for_drafts(run, name, "rename", prompt)
        found[name] = [each.draft for each in drafts]

    run = run_work(desk, list(named), begin, Drafting(count=1, rounds=0), {name: named[name] for name in named})
    _raise_error(run)
    return [
        _renamed(desk, program, found.get(name, []), tuple(note for note in run.notes if note.startswith(f"{name},")))
        for name, program in named.items()
    ]


def _renamed(desk: Desk, program: Program, drafts: Sequence[Draft], notes: tuple[str, ...]) -> Revision:
    block = metadata_block(program.source)
    sources = [as_source(draft, block[0] if block else "") for draft in drafts]
    why = "nothing usable was answered"
    for source in sources:
        why = _difference(desk, program, parse(source))
        if not why:
            return Revision(program, source, notes=notes)
    return Revision(program, program.source, why, notes)


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
        ProgramError: if the program has findings, or fails on a text.
        OllamaError: if the server cannot be asked, or fails before there is a candidate.
    """
    _refuse_findings([program])
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


def _raise_error(run: Drafted) -> None:
    if run.error is not None:
        raise OllamaError(str(run.error), hint=run.error.hint)
