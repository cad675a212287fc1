"""One head: its texts and rows, its pictures, its programs, key by key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from readhead_tui.heat_map import HeatMap
from tui.covered import covers
from tui.fake_engine import FakeEngine
from tui.running import Running, running

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]


@asynccontextmanager
async def on_a_head(root: Path, engine: FakeEngine | None = None) -> AsyncIterator[Running]:
    async with running(root, engine, view="head", head="L1H2") as here:
        await here.until(lambda: here.app.head_view.tokens, "a text")
        await here.settled()
        yield here


def pictures(here: Running) -> list[str]:
    return [str(heat.id) for heat in here.app.query(HeatMap) if heat.display and heat.size.area]


@covers("row_up", "row_down", "row_page_up", "row_page_down")
async def test_the_token_that_looks_is_walked_through(tmp_path: Path) -> None:
    async with on_a_head(tmp_path) as here:
        row = here.app.head_view.row
        seen = []
        for key in ("down", "j", "pagedown", "pagedown", "pagedown", "up", "k", "pageup", "pageup", "pageup"):
            await here.press(key)
            seen.append(here.app.head_view.row - row)
        last = here.app.head_view.tokens - 1 - row
        assert seen == [1, 2, 12, last, last, last - 1, last - 2, last - 12, max(last - 22, -row), -row]
        assert '0 "Once" looks at' in here.line("#head-row")


@covers("next_text", "previous_text")
async def test_texts_are_gone_through_in_their_order_and_around(tmp_path: Path) -> None:
    async with on_a_head(tmp_path) as here:
        seen = []
        for key in ("right", "n", "left", "N", "left"):
            await here.press(key)
            await here.settled()
            seen.append(here.app.head_view.text_number)
        assert seen == [1, 2, 1, 0, 31]
        assert "dev text 32 of 32" in here.screen


@covers("worst")
async def test_the_worst_text_comes_first_and_the_next_worst_after_it(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with on_a_head(tmp_path, engine) as here:
        await here.press("w")
        await here.settled()
        order = engine.workspace.worst_texts(engine.asked("worst_texts")[0]["source"], "L1H2")
        assert here.app.head_view.text_number == order[0]["sequence"]
        assert "the worst" in here.screen
        await here.press("right")
        await here.settled()
        assert here.app.head_view.text_number == order[1]["sequence"]
        assert "2. worst" in here.screen
        await here.press("w", "right")
        await here.settled()
        assert "worst" not in here.line("#head-facts"), "in their order again"


@covers("own_text")
async def test_a_text_of_the_user_is_looked_at_and_an_empty_one_is_none(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with on_a_head(tmp_path, engine) as here:
        await here.press("t")
        await here.type("The frog sat on a log")
        await here.settled()
        assert engine.asked("pattern")[-1]["text"] == "The frog sat on a log"
        assert "own text" in here.screen
        assert here.app.head_view.tokens == 6
        await here.press("t", *["backspace"] * 30)
        await here.type("")
        await here.settled()
        assert "dev text 1 of 32" in here.screen


@covers("layout", "picture")
async def test_pictures_and_program_take_turns(tmp_path: Path) -> None:
    async with on_a_head(tmp_path) as here:
        everything = pictures(here)
        assert everything == ["pattern", "prediction", "difference"]
        await here.press("p")
        assert "def head(s: Sentence):" in here.screen
        assert pictures(here) == []
        await here.press("p")
        assert pictures(here) == everything
        seen = []
        for _ in range(4):
            await here.press("m")
            seen.append(pictures(here))
        assert seen == [["pattern"], ["prediction"], ["difference"], everything]


@covers("candidate", "candidate_back")
async def test_other_programs_of_the_head_take_their_place(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with on_a_head(tmp_path, engine) as here:
        rows = engine.workspace.candidates("L1H2")
        names = [row["name"] for row in rows]
        seen = []
        for key in ("o", "o", "o", "O"):
            await here.press(key)
            await here.settled()
            seen.append(here.app.head_view.place)
            assert names[seen[-1]] in here.line("#head-facts")
            assert engine.asked("pattern")[-1]["source"] == rows[seen[-1]]["source"]
        assert seen == [1, 2, 0, 2]


async def test_the_chosen_program_is_the_one_that_is_flipped_in(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with on_a_head(tmp_path, engine) as here:
        await here.press("o", "space")
        await here.settled()
        assert engine.workspace.board == {"L1H2": engine.workspace.candidates("L1H2")[1]["source"]}
