"""What is asked of a synthesis, and the front of programs that comes of it. No torch: front ends read this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from readhead.errors import UsageError
from readhead.heads import HeadId
from readhead.library import Ranking
from readhead.program import Program

SIZES: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
"""Terms of the programs of a front, up to the most that are wanted."""
WORTH: Final = 0.002
"""IoU on dev that each further term must bring for a larger program to be chosen."""


@dataclass(frozen=True)
class Effort:
    """How hard to search; the defaults are the ones that the documentation's figures are measured with."""

    set_size: int = 12
    """The most tokens in a set that a program lists; 0 for no sets, only classes that have a name."""
    scan_sequences: int = 20
    """Texts in one scan; the next one takes the next ones."""
    work_sequences: int = 64
    """Texts to which weights are fitted while terms come and go; at the end, it is all of them."""
    per_scan: int = 3
    """Terms that are added from one scan at most."""
    paired: int = 4
    """Relations for which a scan looks for two sets that fit each other."""
    tried: int = 12
    """Candidates of a scan that are tried on the true loss."""
    fitted: int = 3
    """The best of those, which are tried with all weights fitted again."""
    extra: float = 0.25
    """How far beyond the wanted size to grow, as a share of it."""
    part_price: float = 0.02
    """Share of its gain that a candidate loses for each class in it."""
    relation_price: float = 0.018
    """The same for a relation: of two that hold for the same keys, the relation is taken."""
    set_price: float = 0.03
    """The same for a set."""
    refinements: int = 4
    """Of all sets, at most, at every stop."""

    def __post_init__(self) -> None:
        if self.set_size < 0:
            raise UsageError(f"a set cannot have {self.set_size} tokens", hint="give 0 for no sets, or more")


@dataclass(frozen=True)
class Wanted:
    """What programs to write."""

    terms: int = 8
    """The most terms of a program; 1 to 32."""
    seed: int = 0
    time_limit: float | None = None
    """Seconds after which the search ends; heads that it has not done by then are left for the next run."""
    effort: Effort = field(default_factory=Effort)

    def __post_init__(self) -> None:
        if not 1 <= self.terms <= SIZES[-1]:
            raise UsageError(f"{self.terms} terms cannot be searched for", hint=f"ask for 1 to {SIZES[-1]}")
        if self.time_limit is not None and not self.time_limit > 0:
            raise UsageError("the time limit is not above zero", hint="give seconds, such as --time-limit 600")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes of the front, in terms."""
        return tuple(sorted({size for size in SIZES if size <= self.terms} | {self.terms}))


@dataclass(frozen=True)
class Front:
    """Programs for one head, from the fewest terms to the most."""

    head: HeadId
    programs: tuple[Program, ...]

    def scores(self, ranking: Ranking, place: int) -> list[float]:
        """IoU of each on the head, whose number is `place`."""
        return [float(ranking.iou[ranking.numbers[program.source], place]) for program in self.programs]

    def chosen(self, ranking: Ranking, place: int) -> Program:
        """The largest program that brings `WORTH` for each of its terms beyond the best smaller one."""
        scores = self.scores(ranking, place)
        best = 0
        for number, program in enumerate(self.programs):
            more = program.terms - self.programs[best].terms
            if scores[number] - scores[best] >= WORTH * max(1, more):
                best = number
        return self.programs[best]


@dataclass(frozen=True)
class Written:
    """What a run has written."""

    fronts: tuple[Front, ...]
    unreached: tuple[HeadId, ...]
    """Heads that the time limit left without a program."""


def programs_of(fronts: Sequence[Front]) -> list[Program]:
    """All programs of the fronts, each text once."""
    return list({program.source: program for front in fronts for program in front.programs}.values())
