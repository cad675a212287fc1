"""The programs that were written for a head are walked through, and so are their lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.covered import covers
from tui.running import running

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]


@covers("found_up", "found_down")
async def test_the_programs_that_were_found_are_walked_through(tmp_path: Path) -> None:
    async with running(tmp_path, view="write") as here:
        await here.press("s")
        await here.settled()
        seen = []
        for key in ("down", "j", "up", "k"):
            await here.press(key)
            seen.append(here.screen)
        assert seen[0] != seen[1]
        assert seen[2] == seen[0]
        assert seen[3] != seen[2]


@covers("program_up", "program_down")
async def test_the_lines_of_a_long_program_are_walked_through(tmp_path: Path) -> None:
    async with running(tmp_path, size=(80, 16), view="write") as here:
        await here.press("s")
        await here.settled()
        top = here.screen
        await here.press("pagedown")
        below = here.screen
        await here.press("pageup")
        assert here.screen == top != below
