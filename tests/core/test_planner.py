"""Orders, budgets and guilt, on heads whose cost is known."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from readhead.errors import StoreError, UsageError
from readhead.heads import HeadId
from readhead.program import parse
from readhead.surrogates.impact import Impact
from readhead.surrogates.planner import (
    Plan,
    Selection,
    count_of,
    guilty_heads,
    in_order,
    measure_curve,
    within_budget,
)
from readhead.surrogates.switchboard import Board, Control, Switchboard

HEADS = [HeadId(layer, index) for layer in range(2) for index in range(4)]
PROGRAMS = {head: parse(f"def head(s):\n    return s.first * {k}\n", name=str(head)) for k, head in enumerate(HEADS)}
A, B, C, D, *_ = HEADS


class Costs:
    """A model in which each head costs something, and some pairs more or less together."""

    def __init__(self, alone: dict[HeadId, float], together: dict[tuple[HeadId, HeadId], float] | None = None) -> None:
        self.alone = alone
        self.together = together or {}
        self.asked = 0

    def increase(self, board: Board) -> float:
        self.asked += 1
        pairs = itertools.combinations(sorted(board), 2)
        return math.expm1(sum(self.alone[head] for head in board) + sum(self.together.get(pair, 0) for pair in pairs))

    def impact(self, board: Board, *, details: bool = False) -> Impact:
        del details
        worse = 1 + 9 * any(isinstance(each, Control) for each in board.values())
        loss = worse * math.log1p(self.increase(board))
        return Impact(np.full(20, 10.0), np.full(20, 10.0 + loss * 5), 5, len(board))


COSTS = {head: 0.01 * (k + 1) for k, head in enumerate(HEADS)}


def test_the_order_by_iou_is_the_papers() -> None:
    iou = {head: 0.1 * (k % 3) for k, head in enumerate(HEADS)}
    order = in_order("iou", PROGRAMS, iou, Costs(COSTS))
    assert [iou[head] for head in order] == sorted(iou.values(), reverse=True)


def test_the_order_by_impact_measures_each_head_once() -> None:
    costs = Costs(COSTS)
    assert in_order("impact", PROGRAMS, {}, costs) == HEADS
    assert costs.asked == len(HEADS)


def test_greedy_measures_again_beside_what_it_has_taken() -> None:
    order = in_order("greedy", PROGRAMS, {}, Costs(COSTS, {(A, B): 0.5, (A, D): -0.02}))
    assert order[:3] == [A, D, C]
    assert order[-1] == B
    assert sorted(order) == HEADS


def test_a_curve_tells_fractions_of_all_heads_and_controls() -> None:
    curve = measure_curve("iou", HEADS[:6], PROGRAMS, Costs(COSTS), fractions=(0.05, 0.5, 1.0), of=8)
    assert [len(point.heads) for point in curve.points] == [1, 4, 6]
    assert curve.points[1].impact.increase == pytest.approx(math.expm1(0.1))
    assert curve.points[1].controls["uniform"].increase == pytest.approx(math.expm1(1.0))
    document = curve.as_dict()
    assert document["curve"][2]["replaced"] == 6
    assert document["neural"] == pytest.approx(math.exp(2))


@pytest.mark.parametrize(("fraction", "count"), [(0, 0), (0.05, 2), (0.01, 1), (0.25, 10), (0.5, 20), (1, 40)])
def test_a_fraction_counts_heads(fraction: float, count: int) -> None:
    assert count_of(fraction, 40) == count


@pytest.mark.parametrize("fraction", [-0.1, 1.5, math.nan])
def test_a_fraction_out_of_range_is_refused(fraction: float) -> None:
    with pytest.raises(UsageError, match="no fraction"):
        count_of(fraction, 40)


def test_a_budget_takes_the_most_heads_even_where_fewer_cost_more() -> None:
    costs = Costs({A: 0.01, B: 0.2, C: -0.17, D: 0.5})
    heads, cost = within_budget(0.05, [A, B, C, D], PROGRAMS, costs)
    assert heads == [A, B, C]
    assert cost == pytest.approx(math.expm1(0.04))


def test_a_budget_that_nothing_meets_tells_what_the_cheapest_costs() -> None:
    with pytest.raises(UsageError, match=r"0\.50%: the cheapest set costs 1\.01%"):
        within_budget(0.005, HEADS, PROGRAMS, Costs(COSTS))


@pytest.mark.parametrize("guilty", [[A], [D], [B, C], [A, D], [A, B, C, D], HEADS, [HEADS[6], B, HEADS[4]]])
def test_the_guilty_heads_are_found_and_no_others(guilty: list[HeadId]) -> None:
    def harm(neural: Sequence[HeadId]) -> float:
        return len(set(guilty) - set(neural)) / len(guilty)

    found, measured = guilty_heads(HEADS, harm, whole=1.0, share=0.99)
    assert sorted(found) == sorted(guilty)
    assert measured < 50


# ---- selection and switchboard ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{}, {"fraction": 0.2, "budget": 0.1}, {"fraction": 2.0}, {"budget": -0.1}, {"fraction": 0.5, "order": "luck"}],
)
def test_a_selection_that_cannot_be_meant_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as refusal:
        Selection(**options)
    assert refusal.value.hint


@pytest.mark.parametrize("options", [{"order": "luck"}, {"fractions": (0.5, 1.1)}, {"fractions": ()}])
def test_a_plan_that_cannot_be_meant_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Plan(**options)


def test_a_switchboard_comes_back_from_its_file(tmp_path: Path) -> None:
    board = Switchboard({D: PROGRAMS[A], A: PROGRAMS[A], B: PROGRAMS[B]}, "abc")
    board.save(tmp_path / "board.json")
    again = Switchboard.load(tmp_path / "board.json")
    assert list(again) == [A, B, D]
    assert {head: program.source for head, program in again.items()} == {
        head: program.source for head, program in board.items()
    }
    assert again.model == "abc"
    assert (tmp_path / "board.json").read_text().count("s.first * 0") == 1, "each program once"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"readhead": 2}', '{"readhead": 1, "heads": {"L0H0": "x"}, "programs": {}}', "\udcff"],
)
def test_a_file_that_is_no_switchboard_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "board.json").write_text(text, errors="surrogateescape")
    with pytest.raises(StoreError) as refusal:
        Switchboard.load(tmp_path / "board.json")
    assert "--save" in refusal.value.hint
    with pytest.raises(StoreError, match="No such file"):
        Switchboard.load(tmp_path / "absent.json")
