"""The app in a test: started on a fake engine, pressed, waited for, read."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual import events
from textual.keys import _character_to_key

from readhead_tui.app import ReadheadApp
from readhead_tui.preferences import Preferences
from readhead_tui.remembered import Remembered
from tui.fake_engine import FakeEngine

if TYPE_CHECKING:
    from textual.pilot import Pilot
    from textual.widget import Widget

PATIENCE_S = 10.0
"""A busy machine is slow; a condition that is met is never waited for longer."""
SIZE = (80, 24)


@dataclass
class Running:
    """An app that runs, with its engine."""

    app: ReadheadApp
    engine: FakeEngine
    pilot: Pilot[None]

    async def press(self, *keys: str) -> None:
        """Press keys, each when the one before has been dealt with.

        The pilot's own `press` waits until the processor rests, several times for each key.
        """
        for key in keys:
            self.send(key)
            await self.deal()
        self.app.screen._on_timer_update()
        await self.deal()

    def send(self, key: str) -> None:
        """Press a key, and wait for nothing."""
        character = key if len(key) == 1 else " " if key == "space" else None
        event = events.Key(_character_to_key(key) if len(key) == 1 and not key.isalnum() else key, character)
        event.set_sender(self.app)
        assert self.app._driver is not None
        self.app._driver.send_message(event)

    async def deal(self) -> None:
        """Let a message go from the app to a widget and back, and what comes of it."""
        for _ in range(4):
            await self.pilot._wait_for_screen()

    async def type(self, text: str) -> None:
        """Answer the question that is open."""
        await self.press(*text, "enter")

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until a condition holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, f"{what} does not come about; the screen:\n{self.screen}"
            await self.pilot.pause()

    async def until_seen(self, text: str) -> None:
        """Wait until the screen shows a text."""
        await self.until(lambda: text in self.screen, repr(text))

    async def settled(self) -> None:
        """Wait until no work is on its way."""
        await self.until(lambda: not any(worker.is_running for worker in self.app.workers), "an app at rest")
        await self.pilot.pause()

    @property
    def screen(self) -> str:
        """All that is on the screen, line by line."""
        lines = self.app.screen._compositor.render_strips()
        return "\n".join(line.text.rstrip() for line in lines)

    def line(self, widget: str) -> str:
        """What a widget shows, as text."""
        return text_of(self.app.screen.query_one(widget))

    @property
    def notifications(self) -> list[str]:
        """Titles and messages of all that pops up."""
        return [f"{each.title}: {each.message}" for each in self.app._notifications]

    def told(self, text: str) -> bool:
        """Whether something that popped up says so."""
        return any(text in each for each in self.notifications)


def text_of(widget: Widget) -> str:
    """What a widget shows, line by line."""
    return "\n".join(widget.render_line(y).text.rstrip() for y in range(widget.size.height))


def welcomed(root: Path, **known: object) -> Path:
    """A workspace where the app has been before; it remembers this."""
    (root / "programs").mkdir(parents=True, exist_ok=True)
    Remembered(welcomed=True, **known).write(root)  # type: ignore[arg-type]  # its fields
    return root


def make_app(root: Path, engine: FakeEngine, preferences: Preferences | None = None) -> ReadheadApp:
    """An app without animations."""
    app = ReadheadApp(root, preferences, attach=engine.attach)
    app.animation_level = "none"
    return app


@asynccontextmanager
async def running(
    root: Path,
    engine: FakeEngine | None = None,
    *,
    size: tuple[int, int] = SIZE,
    preferences: Preferences | None = None,
    first_time: bool = False,
    rests: bool = True,
    **known: object,
) -> AsyncIterator[Running]:
    """The app, until the block is left; at rest when it begins.

    Args:
        root: an empty folder.
        engine: one that is ready at once by default.
        size: of the terminal, in columns and lines.
        preferences: of the user.
        first_time: whether it was never started there before.
        rests: whether to wait until it has learned what there is to learn.
        known: what it remembers from the time before.
    """
    if not first_time and not (root / ".readhead" / "tui.json").exists():
        welcomed(root, **known)
    engine = engine or FakeEngine()
    app = make_app(root, engine, preferences)
    async with app.run_test(size=size) as pilot:
        here = Running(app, engine, pilot)
        if rests and engine.opens:
            await here.until(lambda: app.timeline.now is not None, "a first switchboard")
            await here.settled()
        yield here
