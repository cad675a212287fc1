"""What the engine says, and what goes wrong with it, is on the screen; what is old is never drawn as current."""

from __future__ import annotations

from pathlib import Path

import pytest

from readhead.engine import EngineGoneError
from readhead.engine.client import EngineError
from readhead.heads import HeadId
from tui.fake_engine import FakeEngine
from tui.fake_workspace import FakeWorkspace
from tui.running import running

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]


async def test_a_flip_is_drawn_at_once_and_for_certain_when_the_engine_has_done_it(tmp_path: Path) -> None:
    engine = FakeEngine()
    held = engine.hold("flip")
    async with running(tmp_path, engine) as here:
        await here.press("space")
        assert "◌" in here.line("#map").splitlines()[1]
        assert "●" not in here.screen
        await here.press("space")
        assert here.told("that flip is still on its way")
        held.release()
        await here.settled()
        assert "◌" not in here.screen
        assert "●" in here.line("#map").splitlines()[1]
        assert len(engine.asked("flip")) == 1


async def test_a_flip_that_fails_is_told_and_not_drawn_any_more(tmp_path: Path) -> None:
    engine = FakeEngine()
    engine.fail_next("flip", EngineError("RH600", "the disk is full", "make room"))
    async with running(tmp_path, engine) as here:
        await here.press("space")
        await here.settled()
        assert here.notifications == ["flip: the disk is full\nmake room"]
        assert "◌" not in here.screen
        engine.flip_elsewhere("L1H0")
        await here.settled()
        assert here.app.timeline.moments[-1].label.startswith("elsewhere: "), "it is not taken for the one that failed"


async def test_a_perplexity_comes_in_parts_that_narrow(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine) as here:
        held = [engine.hold("perplexity", after=parts) for parts in (1, 2)]
        await here.press("space")
        await here.until(lambda: held[0].is_reached, "the first estimate")
        await here.until_seen("preliminary, 4 texts")
        held[0].release()
        await here.until_seen("dev, 16 texts")
        wide = here.line("#perplexity-line")
        held[1].release()
        await here.until_seen("dev, 32 texts")
        narrow = here.line("#perplexity-line")
        assert width(narrow) < width(wide)


def width(line: str) -> float:
    """Of the interval that a line tells."""
    low, high = line.partition("[")[2].partition("]")[0].split(",")
    return float(high) - float(low)


async def test_a_figure_of_an_older_switchboard_is_never_told_as_current(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine) as here:
        await here.press("space")
        await here.settled()
        before = here.line("#perplexity-line")
        held = engine.hold("perplexity")
        await here.press("right", "space")
        await here.until(lambda: held.is_reached, "a question for the new figure")
        shown = here.line("#perplexity-line")
        assert before not in shown
        assert "…" in shown
        held.release()
        await here.settled()
        assert "2 of 32 heads" in here.line("#perplexity-line")


async def test_the_measurement_of_a_switchboard_that_has_gone_is_ended_in_the_engine(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine) as here:
        held = engine.hold("perplexity", after=1)
        await here.press("space")
        await here.until(lambda: held.is_reached, "a first estimate")
        await here.press("right", "space")
        await here.until(lambda: "perplexity" in engine.cancelled, "the end of the first measurement")
        held.release()
        await here.settled()
        assert "2 of 32 heads" in here.line("#perplexity-line")


async def test_a_figure_that_is_no_switchboard_of_the_session_changes_nothing(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine) as here:
        await here.press("space")
        await here.settled()
        before = here.line("#perplexity-line")
        engine.workspace.change({"L3H3": "def head(s):\n    return s.first\n"})  # and nobody is told
        here.app.switching.measure()
        await here.settled()
        assert here.line("#perplexity-line") == before


async def test_a_perplexity_that_cannot_be_measured_says_why(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine) as here:
        engine.fail_next("perplexity", EngineError("RH300", "the model has no head for it", "name another model"))
        await here.press("space")
        await here.settled()
        assert "perplexity not measured: the model has no head for it" in here.line("#perplexity-line")
        await here.press("3")
        assert "not measured: the model has no head for it" in here.line("#figures")


async def test_a_reduced_isolation_is_told_beside_the_figures(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine) as here:
        await here.press("3")
        assert "Isolation" not in here.line("#figures")
        engine.go("ready", **{**engine.workspace.facts(), "isolation": "reduced: no seccomp here"})
        await here.settled()
        assert "Isolation of the programs: reduced: no seccomp here" in here.line("#figures")


async def test_a_flip_from_elsewhere_is_shown_and_can_be_undone(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine) as here:
        engine.flip_elsewhere("L1H3", "L2H0")
        await here.settled()
        assert "●" in here.line("#map").splitlines()[2]
        assert "2 of 32 heads" in here.line("#perplexity-line")
        await here.press("3")
        assert "elsewhere: L1H3 L2H0" in here.screen
        await here.press("u")
        await here.settled()
        assert engine.workspace.board == {}


# ---- the engine's states -----------------------------------------------------------------------------------------


async def test_the_states_of_an_engine_that_opens_are_told_one_after_the_other(tmp_path: Path) -> None:
    engine = FakeEngine(opens=False, ranked=False)
    async with running(tmp_path, engine) as here:
        assert "engine: starting" in here.line("#top")
        engine.go("loading")
        await here.until_seen("engine: loading …")
        engine.say("progress", stage="patterns", done=3, total=9)
        await here.until_seen("engine: loading patterns 3/9 …")
        engine.open()
        await here.until_seen("tiny-stories  4 × 8 heads")
        await here.settled()
        assert "programs are being ranked" in here.line("#card")
        assert here.line("#map").splitlines()[1].count("·") == 8
        engine.say("progress", stage="ranking", done=5, total=9)
        await here.until_seen("ranking 5/9")
        engine.finish_ranking()
        await here.settled()
        assert here.line("#map").splitlines()[1].count(".") == 8
        engine.say("progress", stage="ranking", done=9, total=9)
        await here.until(lambda: "ranking" not in here.line("#top"), "the end of the progress")


async def test_an_engine_that_fails_says_why_and_how_to_go_on_and_is_started_again(tmp_path: Path) -> None:
    engine = FakeEngine(opens=False)
    async with running(tmp_path, engine) as here:
        engine.fail("there is no model 'nano'", "name another one in readhead.toml")
        await here.until_seen("engine failed: there is no model 'nano'")
        assert here.told("name another one in readhead.toml")
        assert here.told("^e starts it again")
        await here.press("space")
        assert here.told("engine failed: there is no model 'nano'"), "what cannot be done says why"
        engine.opens = True
        await here.press("ctrl+e")
        await here.settled()
        assert engine.restarts == 1
        await here.until_seen("tiny-stories  4 × 8 heads")
        await here.press("space")
        await here.settled()
        assert set(engine.workspace.board) == {"L0H0"}


async def test_an_engine_that_ends_is_told_and_when_it_is_back_all_goes_on(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine) as here:
        await here.press("space")
        await here.settled()
        engine.hold("flip")
        await here.press("right", "space")
        assert "◌" in here.screen
        engine.die()
        await here.until_seen("engine: restarting")
        assert here.told("the engine ended; it is started again")
        assert "◌" not in here.screen, "nothing is on its way any more"
        await here.press("v")
        assert here.app.map.selected == {HeadId(0, 1)}, "the keys still count"
        engine.open()
        await here.settled()
        assert "1 of 32 heads" in here.line("#perplexity-line")
        assert len(here.app.timeline.moments) == 2, "the same switchboard is no new moment"
        assert [each for each in here.notifications if "EngineGone" in each] == []


async def test_an_engine_with_another_model_forgets_what_was_known(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine, head="L3H7") as here:
        await here.press("v", "i")
        await here.settled()
        engine.workspace = FakeWorkspace(2, 3)
        engine.workspace.model = "another"
        engine.restart()
        await here.until_seen("another  2 × 3 heads")
        await here.settled()
        assert str(here.app.head) == "L1H2"
        assert here.app.known.impacts == {}
        assert here.app.map.selected == set()


async def test_work_is_told_while_it_is_done(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine) as here:
        held = engine.hold("impacts")
        await here.press("i")
        await here.until_seen(" working")
        held.release()
        await here.settled()
        assert here.line("#top").endswith("ready")


async def test_a_notice_of_the_engine_pops_up(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        here.engine.say("notice", code="RH500", message="the sandbox has died", hint="")
        await here.until(lambda: here.told("the sandbox has died"), "the notice")


# ---- whatever goes wrong -----------------------------------------------------------------------------------------


async def test_a_failure_in_the_background_reaches_the_screen_with_its_hint(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine) as here:
        engine.fail_next("impacts", EngineError("RH500", "the sandbox has died", "try again"))
        await here.press("i")
        await here.settled()
        assert here.notifications == ["impacts: the sandbox has died\ntry again"]


async def test_even_our_own_mistakes_reach_the_screen_and_the_app_goes_on(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine) as here:
        engine.fail_next("impacts", ZeroDivisionError("division by zero"))
        await here.press("i")
        await here.settled()
        assert here.notifications == ["impacts: ZeroDivisionError: division by zero"]
        await here.press("space")
        await here.settled()
        assert set(engine.workspace.board) == {"L0H0"}


async def test_an_engine_that_ends_in_the_midst_of_an_answer_is_told_once(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine) as here:
        engine.fail_next("impacts", EngineGoneError("the engine ended"))
        await here.press("i")
        await here.settled()
        assert here.notifications == [], "its state tells"


@pytest.mark.parametrize("view", ["map", "head", "perplexity"])
async def test_a_failed_list_of_programs_leaves_the_app_in_order(tmp_path: Path, view: str) -> None:
    engine = FakeEngine()
    engine.fail_next("candidates", EngineError("RH600", "the state cannot be read", "remove it"))
    async with running(tmp_path, engine, view=view) as here:
        await here.press("2")
        await here.settled()
        assert here.told("the state cannot be read") or view != "head"
        await here.press("right_square_bracket")
        await here.until(lambda: here.app.head_view.head == HeadId(0, 1), "the next head")
        await here.until(lambda: here.app.head_view.candidate is not None, "its programs")


# ---- files -------------------------------------------------------------------------------------------------------


async def test_a_program_that_is_changed_elsewhere_is_marked_until_it_is_ranked_again(tmp_path: Path) -> None:
    engine = FakeEngine()
    file = tmp_path / "programs" / "L0H0.py"
    file.parent.mkdir()
    source = engine.workspace.best_source("L0H0")
    engine.workspace.written["L0H0"] = [
        engine.workspace.row(HeadId(0, 0), source + "# mine\n", "workspace", path=file, lift=9)
    ]
    file.write_text(source, "utf-8")
    async with running(tmp_path, engine) as here:
        await here.until(lambda: here.app.files._stamps, "a first look at the files")
        held = engine.hold("rank")
        file.write_text(source + "# changed\n", "utf-8")
        await here.until(lambda: held.is_reached, "a new ranking")
        assert "~" in here.line("#map").splitlines()[1]
        assert "changed since" in here.line("#card")
        changed = engine.workspace.row(HeadId(0, 0), source + "# changed\n", "workspace", path=file, lift=9)
        engine.workspace.written["L0H0"] = [changed]
        held.release()
        await here.settled()
        assert "~" not in here.line("#map")
