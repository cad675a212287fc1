"""What counts in every view, key by key."""

from __future__ import annotations

from pathlib import Path

import pytest

from readhead_tui.actions import VIEWS
from readhead_tui.help_screen import HelpScreen
from readhead_tui.shades import PALETTES
from tui.covered import covers
from tui.fake_engine import FakeEngine
from tui.running import running

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]


@covers("view_map", "view_head", "view_perplexity", "view_curve", "view_generate", "view_write")
@pytest.mark.parametrize("size", [(80, 24), (200, 50)], ids=["narrow", "wide"])
async def test_number_keys_go_to_the_views(tmp_path: Path, size: tuple[int, int]) -> None:
    async with running(tmp_path, size=size) as here:
        for number, view in [*enumerate(VIEWS, 1), (1, "map")]:
            await here.press(str(number))
            await here.settled()
            assert here.app.view == view
            shown = here.app.query_one(f"#{view}")
            assert shown.region.area > 0, f"{view} is seen"
            assert here.app.map.region.area > 0 or (view != "map" and size[0] < 140)


@covers("palette")
async def test_colours_come_in_turn_and_are_named(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        seen = []
        for _ in PALETTES:
            await here.press("P")
            seen.append(here.app.palette_name)
            assert here.told(seen[-1])
            assert here.app.map.palette == here.app.head_view.palette.name == seen[-1]
        assert seen == [*list(PALETTES)[1:], "viridis"]


@covers("compact")
async def test_the_lines_at_the_top_go_and_come_back(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        await here.press("ctrl+k")
        assert "tiny-stories" not in here.screen
        await here.press("ctrl+k")
        assert "tiny-stories" in here.screen


@covers("restart")
async def test_the_engine_is_started_anew(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine) as here:
        await here.press("ctrl+e")
        await here.settled()
        assert engine.restarts == 1
        assert "ready" in here.line("#top")


@covers("help")
@pytest.mark.parametrize("key", ["question_mark", "f1"])
async def test_help_comes_and_goes(tmp_path: Path, key: str) -> None:
    async with running(tmp_path) as here:
        await here.press(key)
        assert isinstance(here.app.screen, HelpScreen)
        assert "Flip the head" in here.screen
        await here.press("escape")
        assert not isinstance(here.app.screen, HelpScreen)


@covers("quit")
@pytest.mark.parametrize("key", ["q", "ctrl+q"])
async def test_leaving_lets_go_of_the_engine_and_keeps_the_switchboard(tmp_path: Path, key: str) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine) as here:
        await here.press("space")
        await here.settled()
        await here.press(key)
        await here.until(lambda: not here.app.is_running, "the end")
    assert engine.state == "closed"
    assert set(engine.workspace.board) == {"L0H0"}


async def test_ctrl_c_does_not_leave(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        await here.press("ctrl+c")
        assert here.app.is_running
        assert here.told("q leaves")
