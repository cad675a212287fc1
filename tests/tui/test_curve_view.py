"""The replacement curve and the planner: points as they come, never stale as current, taken in one step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from textual.widgets import DataTable

from core.served_works import make_workspace
from readhead.engine.client import EngineError
from readhead.heads import HeadId
from readhead_tui.app import ReadheadApp
from readhead_tui.curve_words import named
from readhead_tui.curves import next_order
from readhead_tui.plots import axis, beside, whisker
from readhead_tui.question import Question
from readhead_tui.remembered import Remembered
from tui.covered import covers
from tui.scripted_engine import FACTS, HEADS, ScriptedEngine, Shown, shown

if TYPE_CHECKING:
    from rich.text import Text

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]


def rows(here: Shown) -> list[list[str]]:
    """Of the table."""
    table: DataTable[Text] = here.app.query_one("#points", DataTable)
    return [[cell.plain for cell in table.get_row_at(place)] for place in range(table.row_count)]


async def measured(here: Shown) -> None:
    """Measure the shown order's curve."""
    await here.press("m")
    await here.until(lambda: not here.app.curve_view.curves.measuring and "·" not in rows(here)[-1][1])


# ---- the curve -------------------------------------------------------------------------------------------------------


async def test_before_a_measurement_the_rows_tell_what_would_be_measured(tmp_path: Path) -> None:
    async with shown(tmp_path, view="curve") as here:
        assert [row[0].strip() for row in rows(here)][::6] == ["5% (2)", "100% (32)"]
        assert {cell for row in rows(here) for cell in row[1:5]} == {"·"}
        assert "not measured yet: m measures it" in here.words("#curve-facts")
        assert "held-out" in here.words("#curve-facts")
        await here.press("enter")
        assert "this row is not measured yet: press m" in here.told


@covers("curve_measure")
async def test_points_are_drawn_as_they_come(tmp_path: Path) -> None:
    engine = ScriptedEngine(holds={"curve": 2})
    async with shown(tmp_path, engine, view="curve") as here:
        await here.press("m")
        await here.until(lambda: "2 of 7 rows" in here.words("#curve-facts"))
        assert [row[1] == "·" for row in rows(here)] == [False, False, *[True] * 5]
        await here.press("m")
        assert "is being measured: esc stops it" in here.told
        engine.let_go.set()
        await here.until(lambda: "neural 60.00" in here.words("#curve-facts"))
        assert not any("·" in cell for row in rows(here) for cell in row)
        assert engine.given_to("curve") == [{"order": "iou", "controls": ["uniform"], "of_part": "held-out"}]


async def test_a_row_tells_perplexity_change_interval_and_control(tmp_path: Path) -> None:
    async with shown(tmp_path, view="curve") as here:
        await measured(here)
        assert [cell.strip() for cell in rows(here)[2][:5]] == ["25% (8)", "61.50", "+2.5 %", "[-0.5, +5.5]", "+50.0 %"]
        facts = here.words("#curve-facts")
        assert "small, stories held-out, 32 texts of 64 tokens, order iou" in facts
        assert "1 head stay neural" not in facts
        assert "1 head stays neural" in facts
        assert "L3H7: it looks ahead" in facts
        assert "L0H0 L0H1" in here.words("#curve-heads")
        assert "perplexity 66.00" in here.words("#curve-heads")


async def test_whiskers_can_be_read_though_the_control_is_far_away(tmp_path: Path) -> None:
    async with shown(tmp_path, view="curve") as here:
        await measured(here)
        plots = [row[5] for row in rows(here)]
        assert all("●" in plot for plot in plots)
        assert all(plot.endswith("»") for plot in plots[2:])
        assert plots[-1].index("┤") - plots[-1].index("├") > 4
        assert all(len(line) <= 80 for line in here.screen.splitlines())
        assert plots[-1] in here.screen


@covers("curve_stop")
async def test_esc_stops_and_keeps_what_was_measured(tmp_path: Path) -> None:
    engine = ScriptedEngine(holds={"curve": 3})
    async with shown(tmp_path, engine, view="curve") as here:
        await here.press("escape")
        assert "nothing is being measured" in here.told
        await here.press("m")
        await here.until(lambda: "3 of 7 rows" in here.words("#curve-facts"))
        await here.press("escape")
        await here.until(lambda: engine.cancelled == ["curve"])
        await here.until(lambda: "stopped after 3 of 7 rows" in here.words("#curve-facts"))
        assert [row[1] == "·" for row in rows(here)] == [*[False] * 3, *[True] * 4]


@covers("curve_order")
async def test_each_order_keeps_its_own_curve(tmp_path: Path) -> None:
    async with shown(tmp_path, view="curve") as here:
        await measured(here)
        await here.press("o")
        assert "Order impact" in here.words("#curve-facts")
        assert rows(here)[0][1] == "·"
        await measured(here)
        await here.press("o", "o")
        assert "Order iou" in here.words("#curve-facts")
        assert rows(here)[0][1] != "·"
        assert [given["order"] for given in here.engine.given_to("curve")] == ["iou", "impact"]
    assert [next_order("iou"), next_order("impact"), next_order("greedy")] == ["impact", "greedy", "iou"]


async def test_how_far_an_order_is_stands_in_the_view(tmp_path: Path) -> None:
    engine = ScriptedEngine(holds={"curve": 0})
    async with shown(tmp_path, engine, view="curve") as here:
        await here.press("m")
        engine.tell("progress", {"stage": "greedy", "done": 3, "total": 32})
        await here.until(lambda: "greedy 3/32" in here.words("#curve-facts"))


async def test_a_curve_of_older_programs_is_stale_until_it_is_measured_anew(tmp_path: Path) -> None:
    async with shown(tmp_path, view="curve") as here:
        await measured(here)
        here.engine.tell("ranked", {})
        await here.until(lambda: "~ stale" in here.words("#curve-facts"))
        assert all(row[0].startswith("~") for row in rows(here))
        await here.press("enter")
        assert "this row is stale" in here.told
        assert not here.engine.given_to("flip")
        await here.press("m")
        await here.until(lambda: "stale" not in here.words("#curve-facts"))
        assert not any(row[0].startswith("~") for row in rows(here))


async def test_a_curve_that_the_programs_overtake_is_stale(tmp_path: Path) -> None:
    engine = ScriptedEngine(holds={"curve": 3})
    async with shown(tmp_path, engine, view="curve") as here:
        await here.press("m")
        await here.until(lambda: "3 of 7 rows" in here.words("#curve-facts"))
        engine.tell("ranked", {})
        engine.let_go.set()
        await here.until(lambda: not here.app.curve_view.curves.measuring)
        assert all(row[0].startswith("~") for row in rows(here))


async def test_a_curve_of_another_model_is_stale_and_goes_with_the_first_new_point(tmp_path: Path) -> None:
    async with shown(tmp_path, view="curve") as here:
        await measured(here)
        here.engine.facts = FACTS | {"model": "large"}
        here.engine.restart()
        await here.until(lambda: "~ stale" in here.words("#curve-facts") and here.app.known.ranked)
        assert "small, stories" in here.words("#curve-facts")
        here.engine.holds = {"curve": 1}
        await here.press("m")
        await here.until(lambda: "large, stories" in here.words("#curve-facts"))
        assert [row[1] == "·" for row in rows(here)] == [False, *[True] * 6]


@covers("curve_row")
async def test_enter_puts_exactly_the_rows_heads_into_program_mode_and_one_undo_takes_them_back(tmp_path: Path) -> None:
    before = {"L3H7": "# mine", "L0H0": "# mine, too"}
    async with shown(tmp_path, ScriptedEngine(board=dict(before)), view="curve") as here:
        await measured(here)
        await here.press("down", "enter")
        await here.until(lambda: len(here.app.timeline.moments) == 2)
        assert sorted(here.engine.board) == HEADS[:3]
        assert here.engine.board["L0H0"] == "# the best of L0H0, 0"
        await here.until(lambda: rows(here)[1][0].startswith("▶"))
        await here.press("u")
        await here.until(lambda: here.app.timeline.place == 0)
        assert here.engine.board == before


async def test_until_the_programs_are_ranked_a_curve_says_why_not(tmp_path: Path) -> None:
    async with shown(tmp_path, ScriptedEngine(ranked=False), view="curve") as here:
        await here.press("m", "b")
        assert here.told.count("the programs are still being ranked") == 2
        assert not here.engine.given_to("curve")


async def test_a_failure_reaches_the_screen_and_nothing_is_lost(tmp_path: Path) -> None:
    async with shown(tmp_path, view="curve") as here:
        await measured(here)
        here.engine.fails["curve"] = EngineError("RH1", "no memory for it", "use fewer texts")
        await here.press("m")
        await here.until(lambda: "no memory for it\nuse fewer texts" in here.told)
        assert not here.app.curve_view.curves.measuring
        assert rows(here)[-1][1] != "·"


@pytest.mark.parametrize("size", [(200, 50), (60, 16), (40, 12)])
async def test_other_sizes_show_the_curve_too(tmp_path: Path, size: tuple[int, int]) -> None:
    async with shown(tmp_path, view="curve", size=size) as here:
        await measured(here)
        assert "60.30" in here.screen
        if size[0] > 100:
            assert "planned" not in here.screen
            assert "100% (32)" in here.screen


# ---- the planner -----------------------------------------------------------------------------------------------------


@covers("budget", "apply_plan")
async def test_a_plan_tells_heads_and_cost_and_is_applied_in_one_step(tmp_path: Path) -> None:
    async with shown(tmp_path, ScriptedEngine(board={"L3H7": "# mine"}), view="curve") as here:
        await here.press("a")
        assert "there is no plan yet: press b" in here.told
        await here.press("o", "b")
        assert isinstance(here.app.screen, Question)
        await here.press("enter")
        await here.until(lambda: "Plan for 5 %: 2 heads, +4.5 % on dev" in here.words("#curve-plan"))
        assert here.engine.given_to("plan") == [{"budget": 5.0, "order": "impact"}]
        assert "L1H3 L0H4" in here.words("#curve-plan")
        assert not here.engine.given_to("flip")
        await here.press("a")
        await here.until(lambda: "in program mode now" in here.words("#curve-plan"))
        assert sorted(here.engine.board) == ["L0H4", "L1H3"]
        await here.press("u")
        await here.until(lambda: list(here.engine.board) == ["L3H7"])


async def test_a_budget_that_is_none_is_asked_again(tmp_path: Path) -> None:
    async with shown(tmp_path, view="curve") as here:
        await here.press("b", "backspace", "minus", "1", "enter")
        assert isinstance(here.app.screen, Question)
        assert not here.engine.given_to("plan")
        await here.press("escape", "b", "backspace", "2", "percent_sign", "enter")
        await here.until(lambda: "Plan for 2 %" in here.words("#curve-plan"))


async def test_a_plan_can_be_stopped_and_an_older_one_is_stale(tmp_path: Path) -> None:
    async with shown(tmp_path, view="curve") as here:
        await here.press("b", "enter")
        await here.until(lambda: "Plan for 5 %" in here.words("#curve-plan"))
        here.engine.tell("ranked", {})
        await here.until(lambda: "~ stale: Plan for 5 %" in here.words("#curve-plan"))
        await here.press("a")
        assert "the plan is stale" in here.told
        here.engine.holds = {"plan": 0}
        await here.press("b", "enter")
        await here.until(lambda: "planning for 5 %" in here.words("#curve-plan"))
        await here.press("escape")
        await here.until(lambda: here.engine.cancelled == ["plan"])
        await here.until(lambda: "~ stale: Plan for 5 %" in here.words("#curve-plan"))


# ---- without the app -------------------------------------------------------------------------------------------------


async def test_a_control_is_marked_beside_the_whisker() -> None:
    line = whisker(4.0, 2.0, 6.0, (0.0, 10.0), 11)
    assert line == "│ ├─●─┤    "
    assert beside(line, 8.0, (0.0, 10.0)) == "│ ├─●─┤ ◇   "
    assert beside(line, 4.0, (0.0, 10.0)) == "│ ├─●─┤     "
    assert beside(line, 200.0, (0.0, 10.0)) == "│ ├─●─┤    »"
    assert beside(line, None, (0.0, 10.0)) == "│ ├─●─┤     "
    assert axis((-0.25, 10.0), 17) == "-0.2 %    +10.0 %"


async def test_names_that_do_not_fit_are_counted() -> None:
    heads = tuple(HeadId(0, index) for index in range(4))
    assert named(heads, 100) == "L0H0 L0H1 L0H2 L0H3"
    assert named(heads, 10) == "L0H0 L0H1 … and 2 more"
    assert named(heads, 0) == "L0H0 … and 3 more"


# ---- the engine itself -----------------------------------------------------------------------------------------------


async def test_a_curve_a_plan_and_texts_of_the_real_engine(tmp_path: Path) -> None:
    root = make_workspace(tmp_path, held_out=20)
    Remembered(welcomed=True, view="curve", tokens=4).write(root)
    app = ReadheadApp(root)
    async with app.run_test(size=(80, 24)) as pilot:
        here = Shown(app, pilot, ScriptedEngine())
        here.patience_s = 120.0
        await here.until(lambda: app.known.ranked and app.timeline.now)
        await measured(here)
        assert "neural" in here.words("#curve-facts")
        await here.press("b", "backspace", "9", "9", "enter")
        await here.until(lambda: app.curve_view.curves.plan is not None)
        await here.press("a")
        await here.until(lambda: app.known.board)
        await here.press("5", "enter")
        await here.until(lambda: "tokens a second" in here.words("#written") and not app.generate_view.writing)
        assert "Once upon a time" in here.words("#written")
