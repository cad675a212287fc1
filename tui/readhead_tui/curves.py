"""Replacement curves and plans as the app keeps them, each with what it depends on. No Textual here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from readhead.heads import HeadId
from readhead.surrogates.planner import FRACTIONS, ORDERS, count_of
from readhead_tui.known import Known, counted

PART: Final = "held-out"
"""Of the corpus, that curves are measured on; orders are found on `dev`."""
CONTROL: Final = "uniform"
"""What stands on the same heads for comparison."""
MEANINGS: Final = {
    "iou": "IoU on dev, best first",
    "impact": "what a head costs alone on dev",
    "greedy": "next the cheapest head on dev",
}
"""Of the orders, which are found on `dev`."""


@dataclass(frozen=True)
class Stamp:
    """What a measurement depends on, beside its order."""

    model: str
    corpus: str
    texts: int
    length: int
    """Tokens a text."""
    edition: int
    """Of the programs: a count of their changes."""

    def words(self, order: str) -> str:
        """The line beneath a curve."""
        return (
            f"{self.model}, {self.corpus} {PART}, {counted(self.texts, 'text')} of {self.length} tokens, order {order}"
        )

    def is_of(self, other: Stamp) -> bool:
        """Whether model and texts are the same, whatever the programs."""
        return replace(self, edition=other.edition) == other


@dataclass(frozen=True)
class Point:
    """The perplexity with so many heads replaced."""

    fraction: float
    heads: tuple[HeadId, ...]
    perplexity: float
    increase_percent: float
    low: float | None
    high: float | None
    control: float | None
    """Increase in percent of the control on the same heads."""
    stamp: Stamp

    @classmethod
    def read(cls, part: Mapping[str, Any], stamp: Stamp) -> Self:
        """From what the engine says."""
        return cls(
            fraction=float(part["fraction"]),
            heads=tuple(HeadId.parse(head) for head in part["heads"]),
            **{name: part[name] for name in ("perplexity", "increase_percent", "low", "high")},
            control=part["controls"].get(CONTROL),
            stamp=stamp,
        )

    @property
    def neural_perplexity(self) -> float:
        """Of the model with no head replaced."""
        return self.perplexity / (1 + self.increase_percent / 100)

    @property
    def control_perplexity(self) -> float | None:
        """Of the control on the same heads."""
        return None if self.control is None else self.neural_perplexity * (1 + self.control / 100)


@dataclass(frozen=True)
class Planned:
    """The most heads of an order within a budget."""

    budget: float
    """Percent of perplexity on `dev`."""
    heads: tuple[HeadId, ...]
    increase_percent: float
    """What they cost on `dev`."""
    order: str
    stamp: Stamp


@dataclass
class Curves:
    """One curve for each order, and a plan; what depends on older programs is kept, and counts as stale."""

    known: Known
    edition: int = 0
    points: dict[str, dict[float, Point]] = field(default_factory=dict)
    """By order and fraction."""
    left_neural: dict[str, dict[str, str]] = field(default_factory=dict)
    """By order: heads without a program that may stand in for them, and why."""
    plan: Planned | None = None
    measuring: str = ""
    """The order whose curve is being measured."""
    measured: int = 0
    """Points of it."""
    planning: str = ""
    """The budget that is being planned, in words."""
    progress: str = ""
    """Of an order or a plan, in words."""
    stopped: bool = False
    """Whether the user ended the last measurement."""

    @property
    def stamp(self) -> Stamp:
        """Of what is measured now."""
        known, corpus = self.known, self.known.corpus
        texts = int(corpus.get(PART.replace("-", "_"), 0))
        return Stamp(known.model, str(corpus.get("name", "")), texts, int(corpus.get("length", 0)), self.edition)

    def outdate(self) -> None:
        """Programs or model have changed."""
        self.edition += 1

    def is_stale(self, measured: Point | Planned) -> bool:
        """Whether it depends on programs, a model or texts that are others now."""
        return measured.stamp != self.stamp or bool(self.known.stale)

    def learn(self, order: str, point: Point) -> None:
        """Another point; those of another model or of other texts go."""
        points = self.points.setdefault(order, {})
        for fraction in [each for each in points if not points[each].stamp.is_of(point.stamp)]:
            del points[fraction]
        points[point.fraction] = point

    def rows(self, order: str) -> list[tuple[float, int, Point | None]]:
        """Fraction, number of heads and what is measured, for every row of an order's table."""
        points, size = self.points.get(order, {}), self.known.geometry.size
        return [
            (fraction, len(point.heads) if (point := points.get(fraction)) else count_of(fraction, size), point)
            for fraction in FRACTIONS
        ]


def next_order(order: str) -> str:
    """The one after it, around."""
    return ORDERS[(ORDERS.index(order) + 1) % len(ORDERS)]
