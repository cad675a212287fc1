"""Walking, choosing and colouring heads on the map, key by key."""

from __future__ import annotations

from pathlib import Path

import pytest

from readhead.heads import HeadId
from readhead_tui.colourings import COLOURINGS
from tui.covered import covers
from tui.fake_engine import FakeEngine
from tui.fake_workspace import FakeWorkspace
from tui.running import running

pytestmark = pytest.mark.asyncio


def heads(*names: str) -> set[HeadId]:
    return {HeadId.parse(name) for name in names}


@covers("left", "right", "up", "down", "page_up", "page_down", "first", "last")
async def test_the_cursor_walks_as_far_as_there_are_heads(tmp_path: Path) -> None:
    walk = [
        ("right", "L0H1"), ("l", "L0H2"), ("down", "L1H2"), ("j", "L2H2"), ("end", "L2H4"), ("right", "L2H4"),
        ("home", "L2H0"), ("left", "L2H0"), ("pagedown", "L12H0"), ("pagedown", "L14H0"), ("down", "L14H0"),
        ("up", "L13H0"), ("k", "L12H0"), ("pageup", "L2H0"), ("pageup", "L0H0"), ("up", "L0H0"),
        ("l", "L0H1"), ("h", "L0H0"),
    ]  # fmt: skip
    async with running(tmp_path, FakeEngine(FakeWorkspace(15, 5))) as here:
        for key, head in walk:
            await here.press(key)
            assert str(here.app.head) == head, key
            assert f" {head} " in here.line("#card").splitlines()[0]


async def test_the_cursor_stays_in_sight_in_a_model_larger_than_the_screen(tmp_path: Path) -> None:
    async with running(tmp_path, FakeEngine(FakeWorkspace(35, 40))) as here:
        await here.press("end", "pagedown", "pagedown", "pagedown")
        lines = here.line("#map").splitlines()
        assert lines[0].endswith("39"), "the whole column, beside the scrollbar"
        assert any(line.startswith(" L30 ") for line in lines[: here.app.map.scrollable_content_region.height])
        await here.press("home", "pageup", "pageup", "pageup")
        assert " L0 " in here.line("#map").splitlines()[1]


@covers("next_head", "previous_head")
async def test_brackets_step_through_all_heads_layer_by_layer(tmp_path: Path) -> None:
    async with running(tmp_path, FakeEngine(FakeWorkspace(2, 2))) as here:
        seen = []
        for key in ["]"] * 4 + ["["] * 2:
            await here.press(key)
            seen.append(str(here.app.head))
        assert seen == ["L0H1", "L1H0", "L1H1", "L0H0", "L1H1", "L1H0"]


@covers("open")
async def test_enter_opens_the_head_under_the_cursor(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        await here.press("right", "enter")
        await here.settled()
        assert here.app.view == "head"
        assert "L0H1" in here.line("#head-facts")


@covers("select", "select_row", "unselect")
async def test_heads_are_selected_and_left_out_again(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        await here.press("v", "right", "right", "v")
        assert here.app.map.selected == heads("L0H0", "L0H2")
        assert "2 heads selected" in here.screen
        assert here.line("#map").splitlines()[1].count("+") == 2
        await here.press("v")
        assert here.app.map.selected == heads("L0H0")
        await here.press("V")
        assert here.app.map.selected == {HeadId(0, index) for index in range(8)}
        await here.press("V")
        assert here.app.map.selected == set()
        await here.press("v", "escape")
        assert here.app.map.selected == set()


@covers("colour")
async def test_colourings_come_in_turn_and_each_says_what_its_numbers_are(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        seen = [here.app.map.colouring]
        for _ in COLOURINGS:
            await here.press("c")
            seen.append(here.app.map.colouring)
            assert seen[-1] in here.line("#legend")
        assert seen == [*COLOURINGS, "IoU"]
        assert here.told("press i to measure"), "an impact that was never measured"


@covers("impacts")
async def test_impacts_appear_one_by_one_as_they_are_measured(tmp_path: Path) -> None:
    engine = FakeEngine()
    engine.workspace.unfit["L0H1"] = "it looks ahead"
    held = engine.hold("impacts", after=2)
    async with running(tmp_path, engine) as here:
        await here.press("i")
        await here.until(lambda: held.is_reached, "two impacts")
        await here.until_seen("impacts 2/32")
        assert here.app.map.colouring == "impact"
        assert set(here.app.known.impacts) == heads("L0H0", "L0H1")
        row = here.line("#map").splitlines()[1]
        assert row.count("·") == 6, row
        assert "no" in row
        held.release()
        await here.settled()
        assert len(here.app.known.impacts) == 32
        assert "impacts" not in here.line("#top")


@covers("filter")
async def test_a_filter_leaves_only_the_heads_that_it_says(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        await here.press("slash")
        await here.type("layer = 2")
        assert "only layer = 2" in here.screen
        assert here.told("8 heads of 32")
        numbers = [sum(character == "." for character in row) for row in here.line("#map").splitlines()[1:5]]
        assert numbers == [0, 0, 8, 0]
        await here.press("escape")
        assert "only layer = 2" not in here.line("#legend")
        assert here.line("#map").splitlines()[1].count(".") == 8


async def test_a_filter_that_cannot_be_read_is_asked_again_with_the_cure(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        await here.press("slash")
        await here.type("size < 3")
        assert "heads have no 'size'; compare iou" in here.screen
        await here.press(*["backspace"] * 8)
        await here.type("program")
        assert here.app.remembered.filter == "program"
        await here.press("slash", "escape")
        assert here.app.remembered.filter == "program", "who turns away changes nothing"


@covers("zoom_in", "zoom_out")
async def test_cells_get_narrower_and_wider(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        widest = len(here.line("#map").splitlines()[1])
        await here.press("minus")
        narrower = len(here.line("#map").splitlines()[1])
        await here.press("minus", "minus")
        narrowest = len(here.line("#map").splitlines()[1])
        assert widest > narrower > narrowest
        await here.press("plus", "=", "=")
        assert len(here.line("#map").splitlines()[1]) == widest


@covers("jump", "jump_spelled")
async def test_a_head_is_gone_to_by_its_name(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        await here.press("g")
        await here.type("l2h5")
        assert str(here.app.head) == "L2H5"
        await here.press("L", "3", "H", "7", "enter")
        assert str(here.app.head) == "L3H7"
        await here.press("g")
        await here.type("L9H0")
        assert "the model has no head L9H0; its heads are L0H0 to L3H7" in here.screen
        assert str(here.app.head) == "L3H7"
