"""Random keys, sizes, clicks and events of the engine, for a while: nothing gets through to the user as a crash.

`READHEAD_RANDOM_KEYS_SECONDS` says for how long (60 by default), `READHEAD_RANDOM_KEYS_SEED` which keys (always the
same by default: no change fails by chance); a failure tells the seed and the last of what was done.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import string
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.drivers.headless_driver import HeadlessDriver
from textual.errors import NoWidget
from textual.pilot import OutOfBounds

from readhead.engine import EngineGoneError
from readhead.engine.client import EngineError
from readhead_tui.actions import ACTIONS, split_keys
from readhead_tui.app import ReadheadApp
from server.processes import resident_bytes
from tui.fake_engine import FakeEngine
from tui.fake_workspace import FakeWorkspace
from tui.running import Running, running

SECONDS = float(os.environ.get("READHEAD_RANDOM_KEYS_SECONDS", "60"))
SEED = int(os.environ.get("READHEAD_RANDOM_KEYS_SEED", "1"))
KEYS = [key for action in ACTIONS for key in split_keys(action.keys)]
OTHERS = ["enter", "escape", "tab", "shift+tab", "backspace", "delete", "ctrl+c", "ctrl+p", "f9", "ctrl+a", "space"]
TEXTS = ["L1H2", "lift < 0.1", "program", "3", "L9H9", "mine", "", "The frog sat .", "0.5", "-1", "[bold]", "é𝒳\t"]
SIZES = [(80, 24), (40, 12), (20, 10), (200, 50), (140, 30), (1, 1), (300, 80)]
METHODS = [
    "flip", "perplexity", "impacts", "cards", "candidates", "pattern", "worst_texts", "curve", "plan", "generate",
    "save_board", "load_board", "rank", "keep", "front", "draft",
]  # fmt: skip
GROWS = 60 << 20
"""Bytes that the process may take after it has warmed up: caches fill, and sizes change."""


class Chaos:
    """Something at random, again and again; all of it comes from one seed."""

    def __init__(self, here: Running, seed: int) -> None:
        self.here = here
        self.lots = random.Random(seed)
        self.done: deque[str] = deque(maxlen=40)

    async def step(self) -> None:
        """One thing."""
        kinds: list[tuple[Callable[[], object], int]] = [
            (self._key, 60), (self._text, 8), (self._click, 10), (self._size, 2), (self._event, 8), (self._pause, 4)
        ]  # fmt: skip
        (kind,) = self.lots.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])
        done = kind()
        if asyncio.iscoroutine(done):
            await done

    def _key(self) -> None:
        key = self.lots.choice(self.lots.choice([KEYS, KEYS, KEYS, OTHERS, list(string.ascii_letters + string.digits)]))
        self.done.append(key)
        self.here.send(key)

    def _text(self) -> None:
        text = self.lots.choice(TEXTS)
        self.done.append(f"type {text!r}")
        for character in text:
            self.here.send(character)
        self.here.send("enter")

    async def _click(self) -> None:
        size = self.here.app.size
        offset = (self.lots.randrange(max(1, size.width)), self.lots.randrange(max(1, size.height)))
        times, control = self.lots.choice([1, 1, 2]), self.lots.random() < 0.2
        self.done.append(f"click {offset} × {times}{' with ctrl' if control else ''}")
        with contextlib.suppress(OutOfBounds, NoWidget):  # the pilot's; nothing is laid out there yet
            await self.here.pilot.click(offset=offset, times=times, control=control)

    async def _size(self) -> None:
        size = self.lots.choice(SIZES)
        self.done.append(f"resize {size}")
        await self.here.pilot.resize_terminal(*size)

    def _event(self) -> None:
        engine = self.here.engine
        method = self.lots.choice(METHODS)
        head = str(self.lots.choice(engine.workspace.geometry.head_ids()))
        fault = EngineError("RH1", "it [/does] not work", "try again")
        events: list[tuple[str, Callable[[], object]]] = [
            (f"{head} is flipped elsewhere", lambda: engine.flip_elsewhere(head)),
            ("restart", engine.restart),
            ("the engine ends", engine.die),
            ("it is back", engine.open),
            ("it fails", lambda: engine.fail("no model [there]", "name another one")),
            ("ranked", engine.finish_ranking),
            ("progress", lambda: engine.say("progress", stage="ranking", done=self.lots.randrange(9), total=9)),
            ("notice", lambda: engine.say("notice", code="RH1", message="a [notice", hint="")),
            (f"{method} fails", lambda: engine.fail_next(method, fault)),
            (f"{method} breaks off", lambda: engine.fail_next(method, EngineGoneError("gone"))),
            (f"{method} is held back", lambda: engine.hold(method, after=self.lots.randrange(2))),
            ("nothing is held back any more", engine.let_go),
            ("another model", self._other_model),
            ("a program file changes", self._write),
        ]  # fmt: skip
        name, event = self.lots.choice(events)
        if engine.state == "closed":
            return
        if name == "it is back" or engine.state != "ready":
            engine.let_go()
            engine.open()
        self.done.append(f"engine: {name}")
        event()

    def _other_model(self) -> None:
        engine, geometry = self.here.engine, self.lots.choice([(4, 8), (2, 3), (30, 40), (1, 1)])
        root = engine.workspace.root
        engine.workspace = FakeWorkspace(*geometry)
        engine.workspace.root, engine.workspace.model = root, f"model {geometry}"
        engine.restart()

    def _write(self) -> None:
        file = self.here.engine.workspace.programs / "L0H0.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            f'"""Looks at itself."""\n\n\ndef head(s):\n    return s.itself  # {self.lots.random()}\n', "utf-8"
        )

    async def _pause(self) -> None:
        await self.here.pilot.pause()

    def check(self) -> None:
        """Whether the app still lives, and no mistake of ours was told."""
        app = self.here.app
        assert app.is_running, f"it has left: {app._exception!r}"
        assert app._exception is None
        told = [each.message for each in app._notifications]
        mistakes = [each for each in told if "Error: " in each]
        assert not mistakes, mistakes


@pytest.mark.slow
@pytest.mark.asyncio
async def test_whatever_is_pressed_the_app_goes_on_and_does_not_grow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HeadlessDriver, "can_suspend", True)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "true")
    begun, warm, steps = time.monotonic(), 0, 0
    monkeypatch.setattr(ReadheadApp, "leave", lambda _app: None)  # by whichever key, click or name
    async with running(tmp_path, FakeEngine()) as here:
        chaos = Chaos(here, SEED)
        try:
            while time.monotonic() - begun < SECONDS:
                await chaos.step()
                steps += 1
                if steps % 10 == 0:
                    await here.deal()
                    chaos.check()
                if not warm and time.monotonic() - begun > SECONDS / 3:
                    gc.collect()
                    warm = resident_bytes(os.getpid())
            here.engine.let_go()
            await here.settled()
            chaos.check()
        except BaseException as error:
            told = "\n  ".join(chaos.done)
            error.add_note(f"READHEAD_RANDOM_KEYS_SEED={SEED}; after {steps} steps, the last ones:\n  {told}")
            raise
        gc.collect()
        grown = resident_bytes(os.getpid()) - warm
        print(f"seed {SEED}: {steps} steps, {grown >> 20} MiB more than after a third of the time")
        assert grown < GROWS
