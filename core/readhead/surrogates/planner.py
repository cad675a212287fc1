"""Which heads to replace: orders, the curve along an order, the largest set under a budget, and the guilty heads.

Orders are found on `dev`; what is told of them is measured on `held-out`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, get_args

from readhead.errors import UsageError
from readhead.heads import HeadId
from readhead.library import Report
from readhead.program import Program
from readhead.surrogates.impact import Curve, CurvePoint, Impact
from readhead.surrogates.switchboard import Board, Control, Switchboard

Order = Literal["iou", "impact", "greedy"]
ORDERS: Final[tuple[str, ...]] = get_args(Order)
FRACTIONS: Final = (0.05, 0.10, 0.25, 0.40, 0.50, 0.75, 1.0)
Programs = Mapping[HeadId, Program]
TRIED: Final = 12
"""Heads that the greedy order measures anew in each step; those that looked cheapest when last measured."""


@dataclass(frozen=True)
class Plan:
    """How a curve is measured."""

    order: Order = "iou"
    controls: tuple[Control, ...] = (Control.UNIFORM,)
    """What to put on the same heads for comparison."""
    fractions: tuple[float, ...] = FRACTIONS
    """Of all heads of the model."""
    joint: bool = False
    """Fit the constants of all programs together to the model's output first."""

    def __post_init__(self) -> None:
        _check_order(self.order)
        if not self.fractions:
            raise UsageError("a curve needs a fraction", hint="leave fractions out for 5 to 100 %")
        for fraction in self.fractions:
            count_of(fraction, 1)


@dataclass(frozen=True)
class Selection:
    """Which heads to replace, said in one of four ways, and by what."""

    fraction: float | None = None
    """So much of all heads, the first of the order."""
    heads: tuple[HeadId, ...] = ()
    budget: float | None = None
    """The most heads, from the front of the order, that cost no more perplexity on dev; a share: 0.05."""
    switchboard: Switchboard | None = None
    programs: Programs = field(default_factory=dict)
    """For some heads the programs to use instead of their best ones."""
    order: Order = "iou"
    terms: int | None = None
    """The most terms of programs that are written for the heads first; None to write none."""
    joint: bool = False
    """Fit the constants of all programs together to the model's output first."""

    def __post_init__(self) -> None:
        given = (self.fraction is not None, bool(self.heads), self.budget is not None, self.switchboard is not None)
        if sum(given) != 1:
            raise UsageError(
                "say in one way which heads to replace",
                hint="--fraction 0.25, --heads L0H1,L2H3, --budget 5% or --switchboard FILE",
            )
        _check_order(self.order)
        if self.fraction is not None:
            count_of(self.fraction, 1)
        if self.budget is not None and self.budget < 0:
            raise UsageError("a budget is not below zero", hint="give percent: --budget 5%")


def _check_order(order: str) -> None:
    if order not in ORDERS:
        raise UsageError(f"there is no order {order!r}", hint=f"orders: {', '.join(ORDERS)}")


class Measure(Protocol):
    """What a `readhead.surrogates.meter.Meter` does, as far as planning goes."""

    def increase(self, board: Board) -> float: ...  # noqa: D102 - as there
    def impact(self, board: Board, *, details: bool = False) -> Impact: ...  # noqa: D102 - as there


def count_of(fraction: float, heads: int) -> int:
    """How many heads a fraction of them is; at least one for more than nothing.

    Raises:
        UsageError: for a fraction below 0 or above 1.
    """
    if not 0 <= fraction <= 1:
        raise UsageError(f"{fraction} is no fraction of the heads", hint="give 0 to 1: 0.25 is a quarter")
    return max(math.ceil(fraction), math.floor(fraction * heads + 0.5))


def in_order(
    order: Order, programs: Programs, iou: Mapping[HeadId, float], measure: Measure, report: Report | None = None
) -> list[HeadId]:
    """The heads from the first to replace to the last.

    Args:
        order: `iou`: by the program's IoU, best first (the paper's). `impact`: by what replacing that head alone does
            to the perplexity. `greedy`: at each step the head that costs least beside those before it.
        programs: what may stand in for which head.
        iou: of each of them, on dev.
        measure: on dev.
        report: called with progress.
    """
    if order == "iou":
        return sorted(programs, key=lambda head: (-iou[head], head))
    alone = dict(_alone(programs, measure, report))
    by_impact = sorted(programs, key=lambda head: (alone[head], head))
    return by_impact if order == "impact" else _greedy(programs, alone, measure, report)


def _alone(programs: Programs, measure: Measure, report: Report | None) -> Iterator[tuple[HeadId, float]]:
    for number, (head, program) in enumerate(sorted(programs.items(), reverse=True), 1):
        yield head, math.log1p(measure.increase({head: program}))
        if report:
            report("impact", number, len(programs))


def _greedy(programs: Programs, alone: Mapping[HeadId, float], measure: Measure, report: Report | None) -> list[HeadId]:
    """Each head's price is what it cost when it was last measured; only the cheapest are measured anew."""
    price = dict(alone)
    chosen: dict[HeadId, Program] = {}
    so_far = 0.0
    while price:
        cheapest = sorted(price, key=lambda head: (price[head], head))[:TRIED]
        for head in cheapest:
            price[head] = math.log1p(measure.increase({**chosen, head: programs[head]})) - so_far
        best = min(cheapest, key=lambda head: (price[head], head))
        so_far += price.pop(best)
        chosen[best] = programs[best]
        if report:
            report("greedy", len(chosen), len(programs))
    return list(chosen)


def measure_curve(
    order: str,
    heads: Sequence[HeadId],
    programs: Programs,
    measure: Measure,
    *,
    fractions: Sequence[float] = FRACTIONS,
    controls: Sequence[Control] = (Control.UNIFORM,),
    of: int | None = None,
    report: Report | None = None,
) -> Curve:
    """The perplexity with ever more heads replaced.

    Args:
        order: its name.
        heads: the heads in that order.
        programs: what stands in for them.
        measure: on the part that is told.
        fractions: of all heads of the model.
        controls: what to put on the same heads for comparison.
        of: heads that fractions count; by default all that have programs.
        report: called with progress.
    """
    points: list[CurvePoint] = []
    measured = curve_points(heads, programs, measure, fractions=fractions, controls=controls, of=of, details=True)
    for point in measured:
        points.append(point)
        if report:
            report("replace", len(points) * (1 + len(controls)), len(fractions) * (1 + len(controls)))
    return Curve(order, tuple(points))


def curve_points(
    heads: Sequence[HeadId],
    programs: Programs,
    measure: Measure,
    *,
    fractions: Sequence[float] = FRACTIONS,
    controls: Sequence[Control] = (Control.UNIFORM,),
    of: int | None = None,
    details: bool = False,
) -> Iterator[CurvePoint]:
    """The points of `measure_curve`, each as it is measured; `details` as for `Measure.impact`."""
    for fraction in fractions:
        taken = tuple(heads[: count_of(fraction, of or len(heads))])
        impact = measure.impact({head: programs[head] for head in taken}, details=details)
        beside = {control.value: measure.impact(dict.fromkeys(taken, control)) for control in controls}
        yield CurvePoint(fraction, taken, impact, beside)


def within_budget(
    budget: float, heads: Sequence[HeadId], programs: Programs, measure: Measure, report: Report | None = None
) -> tuple[list[HeadId], float]:
    """The most heads from the front of an order that cost no more perplexity than `budget`, a share: 0.05.

    Every length is measured: a longer set may cost less than a shorter one.

    Returns:
        The heads, and what they cost.

    Raises:
        UsageError: if not even the first head is within the budget.
    """
    most, cost, least = 0, 0.0, math.inf
    for count in range(1, len(heads) + 1):
        increase = measure.increase({head: programs[head] for head in heads[:count]})
        least = min(least, increase)
        if increase <= budget:
            most, cost = count, increase
        if report:
            report("budget", count, len(heads))
    if not most:
        raise UsageError(
            f"no head can be replaced within {budget:.2%}: the cheapest set costs {least:.2%} (dev)",
            hint="give a larger --budget, or better programs",
        )
    return list(heads[:most]), cost


def guilty_heads(
    heads: Sequence[HeadId], harm: Callable[[Sequence[HeadId]], float], *, whole: float, share: float
) -> tuple[list[HeadId], int]:
    """Replaced heads of which no single one can be left out for the harm to go, and the measurements taken.

    Delta debugging: halves, then ever smaller parts of the heads are left out of the suspicion, as long as making the
    others neural still takes away the wanted share of the harm. Another, even smaller set may do as well.

    Source: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002.

    Args:
        heads: all that are replaced.
        harm: what is wrong while these heads are neural, 0 or more.
        whole: the same with all heads replaced.
        share: of the harm that has to go; 0 to 1.
    """
    tried = 0

    def heals(suspects: Sequence[HeadId]) -> bool:
        nonlocal tried
        tried += 1
        return harm(suspects) <= (1 - share) * whole

    suspects, parts = list(heads), 2
    while len(suspects) > 1:
        size = math.ceil(len(suspects) / parts)
        chunks = [suspects[start : start + size] for start in range(0, len(suspects), size)]
        smaller = next((chunk for chunk in chunks if heals(chunk)), None)
        if smaller is None and len(chunks) > 2:  # noqa: PLR2004 - the rest of two halves is the other half
            rests = ([head for head in suspects if head not in chunk] for chunk in chunks)
            smaller = next((rest for rest in rests if heals(rest)), None)
            if smaller is not None:
                suspects, parts = smaller, max(parts - 1, 2)
                continue
        if smaller is not None:
            suspects, parts = smaller, 2
        elif size == 1:
            break
        else:
            parts = min(len(suspects), 2 * parts)
    return suspects, tried
