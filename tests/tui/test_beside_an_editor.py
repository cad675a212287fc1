"""The app and a language server on one workspace: one engine, a flip or a save in either is in the other."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from readhead.heads import HeadId
from readhead_tui.app import ReadheadApp
from server.conftest import make_workspace
from server.editor import editor
from server.processes import engines_of, gone, is_alive
from server.programs import GOOD

if TYPE_CHECKING:
    from textual.pilot import Pilot

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc").exists(), reason="processes are looked up in /proc"),
]

HEAD = HeadId(0, 3)
PATIENCE_S = 60.0


@asynccontextmanager
async def running(root: Path, size: tuple[int, int] = (80, 24)) -> AsyncIterator[tuple[ReadheadApp, Pilot[None]]]:
    """The app with the real engine, until all is measured."""
    app = ReadheadApp(root)
    app.remembered.welcomed = True
    app.remembered.head = str(HEAD)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.known.ranked and app.timeline.now and app.timeline.now.impact, "it is measured")
        yield app, pilot


async def until(pilot: Pilot[None], holds: Callable[[], object], what: str, patience: float = PATIENCE_S) -> float:
    """Wait until something holds; seconds that took."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < patience, f"not within {patience} s: {what}"
        await pilot.pause(0.01)
    return time.monotonic() - started


async def test_a_flip_in_either_is_in_the_other_within_a_second(tmp_path: Path) -> None:
    root = make_workspace(tmp_path / "workspace")
    path = root / "programs" / "one.py"
    path.write_text(GOOD)
    async with editor(root) as one, running(root) as (app, pilot):
        uri = one.open(path, GOOD)
        await one.settled(uri)
        assert len(engines_of(root)) == 1
        there, here = [], []
        for mode in ("program", "neural") * 3:
            started = time.monotonic()
            await pilot.press("space")
            await one.until_lens(
                uri, lambda title, mode=mode: title.startswith(f"L0H3 is {mode}"), f"{mode} on the lens"
            )
            there.append(time.monotonic() - started)
        for mode in ("program", "neural") * 3:
            started = time.monotonic()
            await one.command("readhead.flip", uri, str(HEAD))
            await until(pilot, lambda mode=mode: app.known.mode(HEAD) == mode, f"{mode} on the map")
            here.append(time.monotonic() - started)
        print(f"flip here → lens there {sorted(there)[3]:.2f} s, flip there → map here {sorted(here)[3]:.2f} s")
        assert sorted(there)[3] < 1
        assert sorted(here)[3] < 1
        assert "elsewhere" in app.timeline.moments[-1].label or len(app.timeline.moments) > 1


async def test_a_program_saved_in_the_editor_shows_its_new_score_here_within_a_second(tmp_path: Path) -> None:
    root = make_workspace(tmp_path / "workspace")
    path = root / "programs" / "one.py"
    path.write_text(GOOD.replace("6.7", "-4.0"))
    async with editor(root) as one, running(root) as (app, pilot):
        uri = one.open(path, path.read_text())
        await one.settled(uri)
        took = []
        for decay in ("6.7", "5.0", "6.0", "5.5", "5.2"):
            before = {card.best_iou for card in app.known.cards.values() if card.best == "one"}
            text = GOOD.replace("6.7", decay)
            one.edit(uri, text)
            path.write_text(text)
            one.save(uri)
            took.append(await until(
                pilot,
                lambda before=before: {c.best_iou for c in app.known.cards.values() if c.best == "one"} - before,
                f"the score with {decay}",
            ))  # fmt: skip
        print(f"save there → score here {sorted(took)[2]:.2f} s of {[round(each, 2) for each in took]}")
        assert sorted(took)[2] < 1


async def test_the_app_outlives_an_engine_that_is_killed_and_leaves_nothing_behind(tmp_path: Path) -> None:
    root = make_workspace(tmp_path / "workspace")
    async with running(root) as (app, pilot):
        (engine,) = engines_of(root)
        await pilot.press("space")
        await until(pilot, lambda: HEAD in app.known.board, "it is flipped")
        os.kill(engine, signal.SIGKILL)
        await until(pilot, lambda: engines_of(root) not in ([], [engine]), "another engine")
        await until(pilot, lambda: app.link.engine.state == "ready", "it is ready")
        assert HEAD in app.known.board, "the switchboard is the workspace's"
        await pilot.press("u")
        await until(pilot, lambda: HEAD not in app.known.board, "it is undone")
        (last,) = engines_of(root)
    await gone(last)
    assert not is_alive(engine)


async def test_the_app_says_what_is_wrong_with_a_workspace_and_goes_on_when_it_is_mended(tmp_path: Path) -> None:
    root = make_workspace(tmp_path / "workspace")
    settings = (root / "readhead.toml").read_text()
    (root / "readhead.toml").write_text(settings.replace('"bundled"', '"no/such/folder"', 1))
    app = ReadheadApp(root)
    app.remembered.welcomed = True
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.link.engine.state == "failed", "it fails")
        await pilot.pause()
        assert "failed" in app.engine_in_words()
        assert any("no/such/folder" in notice.message for notice in app._notifications)
        await pilot.press("space")
        await pilot.pause()
        (root / "readhead.toml").write_text(settings)
        await pilot.press("ctrl+e")
        await until(pilot, lambda: app.known.ranked, "it is ranked")
