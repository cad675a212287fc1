"""The first start, the next ones, small and large terminals, terminals without colour, the mouse."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from readhead.heads import HeadId
from readhead_tui.actions import VIEWS
from readhead_tui.app import ReadheadApp
from readhead_tui.heat_map import HeatMap
from readhead_tui.help_screen import Welcome
from readhead_tui.preferences import Preferences
from tui.fake_engine import FakeEngine
from tui.running import running, welcomed

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]


async def test_the_first_screen_is_shown_once(tmp_path: Path) -> None:
    async with running(tmp_path, first_time=True) as here:
        assert isinstance(here.app.screen, Welcome)
        assert "space" in here.screen
        await here.press("x")
        assert not isinstance(here.app.screen, Welcome)
    async with running(tmp_path, first_time=True) as here:
        assert not isinstance(here.app.screen, Welcome)


@pytest.mark.parametrize("key", ["space", "enter", "escape", "q", "question_mark", "down"])
async def test_any_key_begins_and_does_nothing_else(tmp_path: Path, key: str) -> None:
    async with running(tmp_path, first_time=True) as here:
        await here.press(key)
        await here.settled()
        assert len(here.app.screen_stack) == 1
        assert here.app.is_running
        assert (here.app.head, here.app.view, here.engine.workspace.board) == (HeadId(0, 0), "map", {})


async def test_the_user_finds_everything_as_it_was_left(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        await here.press("L", *"2H5", "enter", "c", "slash")
        await here.type("layer > 1")
        await here.press("P", "ctrl+k", "2")
        await here.settled()
        here.app.theme = "nord"
        left = here.screen
    async with running(tmp_path) as here:
        await here.until(lambda: here.app.head_view.tokens, "the head's text")
        await here.settled()
        app = here.app
        assert (str(app.head), app.view, app.map.colouring) == ("L2H5", "head", "lift")
        assert (app.remembered.filter, app.palette_name, app.theme) == ("layer > 1", "cividis", "nord")
        assert app.has_class("-compact")
        assert app.map.shown(app.known, HeadId(2, 0))
        assert not app.map.shown(app.known, HeadId(1, 0))
        assert here.screen == left


@pytest.mark.parametrize(
    "known",
    [
        {"head": "L99H99"}, {"head": "somewhere"}, {"view": "nowhere"}, {"colouring": "pink"}, {"palette": "jet"},
        {"theme": "pink"}, {"filter": "size < 3"}, {"head": "L-1H0"},
    ],
    ids=lambda known: " ".join(f"{name}={value}" for name, value in known.items()),
)  # fmt: skip
async def test_what_is_remembered_and_means_nothing_any_more_is_left_out(tmp_path: Path, known: dict[str, str]) -> None:
    async with running(tmp_path, **known) as here:
        assert "8 heads" in here.line("#top")
        assert here.line("#map").splitlines()[1].count(".") == 8
        await here.press("P", "c", "right", "space")
        await here.settled()
        assert len(here.engine.workspace.board) == 1


async def test_a_folder_that_cannot_be_written_to_does_not_keep_the_app_from_leaving(tmp_path: Path) -> None:
    async with running(welcomed(tmp_path)) as here:
        state = tmp_path / ".readhead"
        (state / "tui.json").unlink()
        state.rmdir()
        state.write_text("a file in its place", "utf-8")
        await here.press("q")
        await here.until(lambda: not here.app.is_running, "the end")


async def test_where_the_user_was_is_written_as_json_that_can_be_read(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        await here.press("right")
    document = json.loads((tmp_path / ".readhead" / "tui.json").read_text("utf-8"))
    assert document["head"] == "L0H1"


async def test_a_workspace_that_is_not_kept_says_so(tmp_path: Path) -> None:
    engine = FakeEngine()
    app = ReadheadApp(welcomed(tmp_path), lasts=False, attach=engine.attach)
    async with app.run_test() as pilot:
        await pilot.pause()
        assert any("nothing is kept" in each.message for each in app._notifications)


# ---- sizes -------------------------------------------------------------------------------------------------------


SOME_SLOW = [view if view in {"map", "perplexity"} else pytest.param(view, marks=pytest.mark.slow) for view in VIEWS]


@pytest.mark.parametrize("view", SOME_SLOW)
async def test_a_terminal_that_gets_too_small_says_so_and_all_is_back_when_it_is_not(tmp_path: Path, view: str) -> None:
    async with running(tmp_path, view=view) as here:
        await here.settled()
        before = here.screen
        await here.pilot.resize_terminal(20, 10)
        await here.deal()
        assert "too small" in here.screen.replace("\n", " ")
        await here.press("right")
        await here.pilot.resize_terminal(1, 1)
        await here.press("left")
        await here.pilot.resize_terminal(80, 24)
        await here.settled()
        await here.until(lambda: here.screen == before, "the same screen")


async def test_in_a_wide_terminal_the_map_stands_beside_the_other_views(tmp_path: Path) -> None:
    async with running(tmp_path, size=(200, 50)) as here:
        await here.until(lambda: here.app.head_view.tokens, "a text")
        assert here.app.map.region.area > 0
        assert here.app.head_view.region.area > 0
        await here.press("right")
        await here.until(lambda: here.app.head_view.head == HeadId(0, 1), "the head follows the cursor")
        await here.press("3")
        assert here.app.map.region.area > 0
        assert here.app.perplexity_view.region.area > 0


@pytest.mark.slow
@pytest.mark.parametrize("view", VIEWS)
async def test_at_any_size_the_lines_at_the_bottom_are_seen(tmp_path: Path, view: str) -> None:
    async with running(tmp_path, view=view) as here:
        for size in ((40, 12), (139, 24), (140, 24), (300, 80), (60, 15)):
            await here.pilot.resize_terminal(*size)
            await here.settled()
            lines = here.screen.splitlines()
            assert len(lines) == size[1]
            assert all(len(line) <= size[0] for line in lines)
            assert " ?  help" in lines[-1]
            assert lines[-2].startswith(" perplexity 9.00")


# ---- without colour ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", ["map", "head", "perplexity"])
async def test_without_colour_numbers_and_characters_tell_the_same(tmp_path: Path, view: str) -> None:
    async with running(tmp_path, preferences=Preferences(palette="none"), view=view) as here:
        await here.press("space")
        await here.settled()
        if view == "map":
            assert re.search(r"L0 +● ?\.\d\d +\.\d\d", here.screen)
            assert "●" in here.screen
        if view == "head":
            assert "█" in here.screen
            assert "▀" not in here.screen
        shown = here.app.map if view == "map" else here.app.query(HeatMap).first()
        for y in range(shown.size.height if view != "perplexity" else 0):
            for segment in shown.render_line(y):
                assert segment.style is not None
                assert segment.style.bgcolor == shown.rich_style.bgcolor, "no colour but the ground's"


# ---- the mouse ---------------------------------------------------------------------------------------------------


async def test_a_click_goes_to_a_head_and_a_double_click_opens_it(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        await here.pilot.click("#map", offset=(5 + 6 * 3 + 2, 1 + 2))
        await here.deal()
        assert (str(here.app.head), here.app.view) == ("L2H3", "map")
        await here.pilot.click("#map", offset=(5 + 6 * 3 + 2, 1 + 2), times=2)
        await here.until(lambda: here.app.view == "head", "the head's view")


async def test_a_click_with_a_modifier_selects(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        for column in (0, 2):
            await here.pilot.click("#map", offset=(5 + 6 * column + 2, 1), control=True)
        assert here.app.map.selected == {HeadId(0, 0), HeadId(0, 2)}


@pytest.mark.parametrize("offset", [(2, 2), (40, 0), (5 + 6 * 8 + 1, 1), (20, 8)])
async def test_a_click_beside_the_heads_does_nothing(tmp_path: Path, offset: tuple[int, int]) -> None:
    async with running(tmp_path, head="L1H1") as here:
        await here.pilot.click("#map", offset=offset)
        assert str(here.app.head) == "L1H1"


async def test_a_click_on_a_key_or_a_view_does_what_it_says(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        await here.pilot.click("#keys", offset=(here.line("#keys").index("flip") + 1, 0))
        await here.settled()
        assert set(here.engine.workspace.board) == {"L0H0"}
        await here.pilot.click("#views-line", offset=(here.line("#views-line").index("Perplexity") + 2, 0))
        await here.until(lambda: here.app.view == "perplexity", "the view")


async def test_a_click_on_a_picture_points_at_a_token(tmp_path: Path) -> None:
    async with running(tmp_path, view="head") as here:
        await here.until(lambda: here.app.head_view.tokens, "a text")
        await here.settled()
        await here.pilot.click("#pattern", offset=(3, 5))
        await here.deal()
        assert here.app.head_view.row > 4


async def test_a_click_on_another_program_chooses_it(tmp_path: Path) -> None:
    async with running(tmp_path, size=(200, 50), view="head") as here:
        await here.until(lambda: here.app.head_view.tokens, "a text")
        await here.pilot.click("#candidates", offset=(5, 1))
        await here.settled()
        assert here.app.head_view.place == 1


async def test_leaving_in_the_midst_of_a_walk_is_no_crash(tmp_path: Path) -> None:
    async with running(tmp_path, view="head") as here:
        for key in ("right_square_bracket", "right_square_bracket", "q"):
            here.send(key)
        await here.until(lambda: not here.app.is_running, "the end")
