"""A language model's programs among all others: on `dev`, against the library and what the search has found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from readhead.heads import Geometry, HeadId
from readhead.library import Ranking
from readhead.program import Program
from readhead.synthesis.front import Front
from readhead.synthesis.ollama.candidates import Candidate


@dataclass(frozen=True)
class Ranked:
    """One program of a language model."""

    candidate: Candidate
    iou: float
    """On `dev`, like the ranks."""
    rank: int
    """From 1, on the candidate's head."""
    of: int
    """All programs that were ranked."""
    best: Program
    """The best of all on that head."""
    best_iou: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"iou_dev": self.iou, "rank": self.rank, "of": self.of}


def ranked_drafts(drafts: Iterable[Candidate], ranking: Ranking, geometry: Geometry) -> tuple[Ranked, ...]:
    """Each candidate with its place in the ranking, on its own head."""
    best = ranking.best()
    result = []
    for draft in drafts:
        place = geometry.index_of(draft.head)
        column = ranking.iou[:, place]
        own = float(column[ranking.numbers[draft.source]])
        winner = best[place]
        rank = int((column > own).sum()) + 1
        result.append(Ranked(draft, own, rank, len(column), ranking.programs[winner], float(column[winner])))
    return tuple(result)


def joined_fronts(fronts: Sequence[Front], drafts: Iterable[Candidate]) -> list[Front]:
    """For each head what was searched, then what was drafted, from the fewest terms to the most."""
    programs: dict[HeadId, list[Program]] = {front.head: list(front.programs) for front in fronts}
    for program, head in sorted(((draft.program, draft.head) for draft in drafts), key=lambda pair: pair[0].terms):
        programs.setdefault(head, []).append(program)
    return [Front(head, tuple(programs[head])) for head in sorted(programs)]


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
