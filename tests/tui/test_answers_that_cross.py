"""Answers that come when something else was asked meanwhile: none is lost, and none is shown for what it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from readhead.engine.client import EngineError
from readhead.heads import HeadId
from readhead_tui.app import ReadheadApp
from readhead_tui.known import Alone
from readhead_tui.timeline import Moment
from tui.fake_engine import FakeEngine
from tui.fake_workspace import FakeWorkspace
from tui.running import Running, running

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]


def now(app: ReadheadApp) -> Moment:
    assert app.timeline.now is not None
    return app.timeline.now


async def test_a_ranking_that_ends_while_the_cards_are_on_their_way_loses_no_switchboard(tmp_path: Path) -> None:
    engine = FakeEngine(ranked=False)
    engine.workspace.change({"L1H1": "def head(s):\n    return s.first\n"})
    held = engine.hold("cards")
    async with running(tmp_path, engine, rests=False) as here:
        await here.until(lambda: held.is_reached, "a question for the cards")
        engine.finish_ranking()
        await here.until(lambda: len(engine.asked("cards")) > 1, "another one")
        held.release()
        await here.settled()
        assert "1 of 32 heads" in here.line("#perplexity-line")
        assert now(here.app).impact is not None


async def test_what_is_pressed_before_the_programs_are_there_loses_none_of_them(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine, view="head") as here:
        held = engine.hold("candidates")
        await here.press("right_square_bracket")
        await here.until(lambda: held.is_reached, "a question for the programs")
        await here.press("n")
        held.release()
        await here.settled()
        assert here.app.head_view.head == HeadId(0, 1)
        assert here.app.head_view.candidate is not None
        assert "dev text 2 of 32" in here.line("#head-facts")


async def test_the_figure_of_a_text_is_stale_until_it_is_that_of_the_program(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine, view="head") as here:
        held = engine.hold("pattern")
        await here.press("o")
        await here.until(lambda: held.is_reached, "a question for the picture")
        assert "(stale)" in here.line("#head-facts")
        held.release()
        await here.settled()
        assert "(stale)" not in here.line("#head-facts")


async def test_figures_of_another_model_are_forgotten(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine, view="head") as here:
        await here.press("n", "n", "space")
        await here.settled()
        await here.press("s")
        await here.settled()
        assert here.app.write_view.found is not None
        engine.workspace = FakeWorkspace(2, 3, dev=2)
        engine.workspace.model = "another"
        held = engine.hold("perplexity")
        engine.restart()
        await here.until(lambda: held.is_reached, "a question for the new figure")
        assert [moment.label for moment in here.app.timeline.moments] == ["as it was"]
        assert now(here.app).impact is None
        assert here.app.write_view.writing is None
        await here.press("2")
        held.release()
        await here.settled()
        assert "dev text 1 of 2" in here.line("#head-facts")


async def test_an_impact_that_was_measured_of_an_older_text_is_not_shown(tmp_path: Path) -> None:
    async with running(tmp_path, colouring="impact") as here:
        await here.press("i")
        await here.settled()
        assert "alone" in here.line("#card")
        assert "[" in here.line("#card")
        here.app.known.impacts[HeadId(0, 0)] = Alone("another text", 77.0)
        here.app.redraw_heads()
        await here.deal()
        assert "alone" not in here.line("#card")


async def test_a_flip_that_waited_for_the_engine_is_ours(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine) as here:
        engine.die()
        await here.until_seen("engine: restarting")
        held = engine.hold("flip")
        await here.press("space")
        engine.open()
        await here.until(lambda: held.is_reached and now(here.app).impact, "the engine's switchboard")
        held.release()
        await here.settled()
        assert now(here.app).label == "L0H0 → program"


async def test_a_text_that_cannot_be_shown_is_left(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine, view="head") as here:
        engine.fail_next("pattern", EngineError("RH100", "4000 tokens are more than the 256 positions", ""))
        await here.press("t")
        await here.type("too long")
        await here.settled()
        assert here.told("4000 tokens are more")
        await here.press("right_square_bracket")
        await here.until(lambda: here.app.head_view.head == HeadId(0, 1), "the next head")
        await here.settled()
        assert "dev text 1" in here.line("#head-facts")


@pytest.mark.parametrize(("view", "key"), [("map", "b"), ("generate", "n")])
@pytest.mark.parametrize("text", ["²", "-1", "0", "1.5", "9" * 5000], ids=["superscript", "-1", "0", "1.5", "long"])
async def test_a_number_that_is_none_is_a_wrong_answer_and_no_crash(
    tmp_path: Path, view: str, key: str, text: str
) -> None:
    async with running(tmp_path, view=view) as here:
        await here.press(key)
        await answered(here, text)
        assert "is no number of" in here.line("#hint")


async def answered(here: Running, text: str) -> None:
    """With a text that is pasted, not typed."""
    await here.until(lambda: here.app.screen.query("Input"), "a question")
    here.app.screen.query_one("Input").value = text  # type: ignore[attr-defined]
    await here.press("enter")
