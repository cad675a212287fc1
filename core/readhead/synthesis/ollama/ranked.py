"""A language model's programs among all others: on `dev`, against the library and what the search has found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from readhead.heads import Geometry, HeadId
from readhead.library import Ranking
from readhead.program import Program
from readhead.synthesis.ollama.candidates import Candidate


@dataclass(frozen=True)
class Ranked:
    """One program of a language model."""

    candidate: Candidate
    iou: float
    """On `dev`, like the ranks."""
    rank: int | None
    """From 1, on the candidate's head; None for a program that looks ahead, which is not ranked."""
    of: int
    """All programs that were ranked."""
    best: Program
    """The best of all on that head."""
    best_iou: float
    owner: str = ""
    """Whose the best is, in words; empty where it is the language model's own."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"iou_dev": self.iou, "rank": self.rank, "of": self.of}


def ranked_drafts(
    drafts: Sequence[Candidate], ranking: Ranking, geometry: Geometry, *, searched: Iterable[Program], programs: Path
) -> tuple[Ranked, ...]:
    """Each candidate with its place on its own head, among all programs but those drafts that look ahead.

    Args:
        drafts: those that were kept.
        ranking: of the drafts, and of all others.
        geometry: of the ranking's heads.
        searched: programs that the search has found.
        programs: the workspace's folder of them.
    """
    leaks = {draft.source for draft in drafts if not draft.is_eligible}
    fair = [number for number, program in enumerate(ranking.programs) if program.source not in leaks]
    among = ranking.among([ranking.programs[number] for number in fair])
    own = {draft.program.fingerprint for draft in drafts if draft.is_eligible}
    found = {program.fingerprint for program in searched}
    best = among.best() if fair else []
    result = []
    for draft in drafts:
        place = geometry.index_of(draft.head)
        reached = float(ranking.iou[ranking.numbers[draft.source], place])
        column = among.iou[:, place]
        rank = int((column > reached).sum()) + 1 if draft.is_eligible else None
        winner = among.programs[best[place]] if fair else draft.program
        owner = _owner(winner, own, found, programs)
        result.append(Ranked(draft, reached, rank, len(fair), winner, float(column.max(initial=0.0)), owner))
    return tuple(result)


def _owner(program: Program, own: set[str], found: set[str], folder: Path) -> str:
    """Whose a program is, by its code: a file may be a saved copy of what was written now."""
    if program.fingerprint in own:
        return ""
    if program.fingerprint in found:
        return "the search's program"
    if program.path is not None and program.path.is_relative_to(folder):
        return f"yours: {program.path.relative_to(folder.parent)}"
    return f"the library's {program.name}"


def best_programs(
    drafts: Iterable[Candidate], searched: Mapping[HeadId, Program], ranking: Ranking, geometry: Geometry
) -> list[tuple[Program, HeadId]]:
    """For each head the best of its drafts that may be chosen and its searched program; of equals the shorter one."""
    rivals: dict[HeadId, list[Program]] = {head: [program] for head, program in searched.items()}
    for draft in drafts:
        if draft.is_eligible:
            rivals.setdefault(draft.head, []).append(draft.program)

    def worth(program: Program, head: HeadId) -> tuple[float, int]:
        return float(ranking.iou[ranking.numbers[program.source], geometry.index_of(head)]), -program.lines

    return [(max(rivals[head], key=lambda each: worth(each, head)), head) for head in sorted(rivals)]
