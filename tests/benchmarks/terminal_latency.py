"""Prints how fast the terminal app answers a key, and how soon a flip has a first figure.

| measured | required |
|---|---|
| key → its redraw is written to the terminal, 2,000 heads, 80×24 and 200×50 | median and 95 % 50 ms |
| flip → first perplexity on the screen, the bundled model | 0.35 of a neural pass over all dev texts, and 100 ms |

The keys are pressed while an engine keeps sending progress and estimates. A redraw is done when what only this key can
have changed has been written to the terminal, escape sequences and all. The neural pass runs in this process, between
the flips, on the same texts, without any of the engine's memories.

    PYTHONPATH=core:programs:server:tui:tests python tests/benchmarks/terminal_latency.py
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from textual import events
from textual.drivers.headless_driver import HeadlessDriver

from readhead.engine import Engine
from readhead.heads import HeadId
from readhead_tui.app import ReadheadApp
from readhead_tui.colourings import COLOURINGS
from readhead_tui.link import Attach
from readhead_tui.start import spare_collections
from tui.fake_engine import FakeEngine
from tui.fake_workspace import FakeWorkspace
from tui.running import welcomed

if TYPE_CHECKING:
    from readhead.engine.works import Works

SIZES = ((80, 24), (200, 50))
LAYERS, HEADS = 40, 50
PATIENCE_S = 120.0
NAMES = {"space": " "}
SETTINGS = 'model = "bundled"\nfit = 64\ndev = 32\nheld_out = 32\nlength = 64\n'


class Terminal(HeadlessDriver):
    """Takes whatever a terminal would be sent, and tells when something wanted has come."""

    _wanted: Callable[[str], bool] = staticmethod(lambda _: False)
    _seen: asyncio.Future[float] | None = None

    @property
    def is_headless(self) -> bool:
        return False  # or nothing is written

    def write(self, data: str) -> None:
        if self._seen is not None and not self._seen.done() and self._wanted(data):
            self._seen.set_result(time.perf_counter())

    def expect(self, wanted: Callable[[str], bool]) -> asyncio.Future[float]:
        """When something that is written is wanted."""
        self._wanted = wanted
        self._seen = asyncio.get_running_loop().create_future()
        return self._seen

    def press(self, key: str) -> None:
        """As a terminal sends it."""
        self.process_message(events.Key(key, NAMES.get(key, key if len(key) == 1 else None)))


class ChattyEngine(FakeEngine):
    """Sends progress all the time, and ever more estimates of the perplexity."""

    async def chat(self, every_s: float) -> None:
        for number in range(10**9):
            self.say("progress", stage="ranking", done=number % 1000, total=1000)
            await asyncio.sleep(every_s)

    async def call(self, method: str, *, on_part: Callable[[Any], None] | None = None, **given: Any) -> Any:
        if method != "perplexity":
            return await super().call(method, on_part=on_part, **given)
        self.calls.append((method, given))
        while True:
            for part in self.workspace.estimates():
                if on_part is not None:
                    on_part(part)
                await asyncio.sleep(0.02)


@dataclass
class Session:
    """An app that runs at a terminal."""

    app: ReadheadApp
    terminal: Terminal
    took: dict[str, list[float]] = field(default_factory=dict)
    """Wall-clock ms of each kind of key."""
    used: list[float] = field(default_factory=list)
    """The same in processor time, of all of them: what other processes take is not in it."""

    async def key(self, name: str, key: str, wanted: Callable[[str], bool]) -> None:
        """Press a key, and note how long its redraw takes; in ms."""
        await asyncio.sleep(0.03)  # as fast as keys repeat
        seen = self.terminal.expect(wanted)
        started, used = time.perf_counter(), time.process_time()
        self.terminal.press(key)
        took = 1000 * (await asyncio.wait_for(seen, PATIENCE_S) - started)
        self.took.setdefault(name, []).append(took)
        self.used.append(1000 * (time.process_time() - used))

    async def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, "the app does not get ready"
            await asyncio.sleep(0.01)


@asynccontextmanager
async def at_a_terminal(root: Path, attach: Attach, size: tuple[int, int]) -> AsyncIterator[Session]:
    """The app in this process, with a driver that writes to nobody."""
    app = ReadheadApp(welcomed(root), attach=attach)
    app.driver_class = Terminal
    app.animation_level = "none"
    running = asyncio.create_task(app.run_async(size=size))
    await asyncio.sleep(0)
    while not app.is_running or app._driver is None:
        assert not running.done(), running.exception()
        await asyncio.sleep(0.01)
    assert isinstance(app._driver, Terminal)
    session = Session(app, app._driver)
    await session.until(lambda: app.timeline.now)
    try:
        yield session
    finally:
        app.exit()
        await running


def with_all(*texts: str) -> Callable[[str], bool]:
    return lambda data: all(text in data for text in texts)


async def walk(session: Session, count: int) -> None:
    """Over the map, down and to the right; then back to the first head."""
    head = session.app.head
    for number in range(count):
        step, key = ((0, 1), "right") if number % 2 else ((1, 0), "down")
        head = HeadId(head.layer + step[0], head.index + step[1])
        await session.key("walk to another head", key, with_all(f" {head} "))
    session.app.map.cursor = HeadId(0, 0)


async def flip(session: Session, engine: ChattyEngine, count: int) -> None:
    """One head after the other; with every flip the table of flips gets longer."""
    for index in range(count):
        session.app.map.cursor = HeadId(index // HEADS, index % HEADS)
        held = engine.hold("flip")
        await session.key("flip: drawn as on its way", "space", is_pending)
        held.release()
        await session.until(lambda: not session.app.known.pending)


def is_pending(data: str) -> bool:
    """On the map, or on the card where cells have no room for a mark."""
    return "◌" in data or re.search(r" neural mode(\x1b\[[\d;]*m)* …", data) is not None


async def colour(session: Session, count: int) -> None:
    names = list(COLOURINGS)
    for _ in range(count):
        name = names[(names.index(session.app.map.colouring) + 1) % len(names)]
        await session.key("colour all heads otherwise", "c", with_all(f" {name}: "))


async def read_rows(session: Session, count: int) -> None:
    await session.until(lambda: session.app.head_view.tokens)
    for number in range(count):
        key, step = ("down", 1) if number % 20 < 10 else ("up", -1)
        row = session.app.head_view.row + step
        await session.key("walk to another token", key, with_all(f"{row} ", " looks at"))


async def change_views(session: Session, count: int) -> None:
    back = "program − head" if session.app.is_wide else "next: "
    for _ in range(count):
        await session.key("to the perplexity", "3", with_all("neural → hybrid"))
        await session.key("to the map", "1", with_all(back))
        await session.key("to the head", "2", with_all("next text"))
    session.terminal.press("1")


async def keys(size: tuple[int, int], count: int) -> Session:
    """All kinds of keys, while an engine talks."""
    with tempfile.TemporaryDirectory() as folder:
        engine = ChattyEngine(FakeWorkspace(LAYERS, HEADS))
        async with at_a_terminal(Path(folder), engine.attach, size) as session:
            talk = asyncio.create_task(engine.chat(0.01))
            await walk(session, min(count, 2 * LAYERS - 2))
            await colour(session, count)
            await flip(session, engine, count)
            await walk(session, min(count, 2 * LAYERS - 2))
            await change_views(session, count // 3)
            session.terminal.press("2")
            await read_rows(session, count)
            talk.cancel()
    return session


# ---- the real engine ---------------------------------------------------------------------------------------------


def neural_pass(works: Works) -> float:
    """Seconds for the losses of all dev texts, with nothing remembered."""
    from readhead.surrogates.meter import Meter  # noqa: PLC0415 - an app has no torch in its process

    session = works.session
    with Meter(session.model, session.corpus["dev"], session.predictions, memory=0, seed=session.seed) as meter:
        started = time.perf_counter()
        meter.losses({})
        return time.perf_counter() - started


async def first_estimates(root: Path, count: int) -> tuple[list[float], list[float], list[float]]:
    """Seconds from a flip to its first and to its last figure on the screen, and of a neural pass between them."""
    from readhead.engine.works import Works  # noqa: PLC0415 - as above

    works = Works(root, lambda _event, _given: None)
    first, last, passes = [], [], []
    async with at_a_terminal(root, Engine, (80, 24)) as session:
        app = session.app
        await session.until(lambda: app.known.ranked)
        await session.until(lambda: at_rest(app))
        neural_pass(works)
        for head in app.known.best(count):
            app.map.cursor = head
            await asyncio.sleep(0.2)
            begun = len(app.timeline.moments)
            seen = session.terminal.expect(lambda data, begun=begun: "→" in data and is_measured(app, begun))
            started = time.perf_counter()
            session.terminal.press("space")
            first.append(await asyncio.wait_for(seen, PATIENCE_S) - started)
            await session.until(lambda: at_rest(app))
            last.append(time.perf_counter() - started)
            await asyncio.sleep(0.2)
            passes.append(neural_pass(works))
    works.close()
    return first, last, passes


def is_measured(app: ReadheadApp, begun: int) -> bool:
    """Whether the moment after so many has a figure."""
    now = app.timeline.now
    return len(app.timeline.moments) > begun and now is not None and now.impact is not None


def at_rest(app: ReadheadApp) -> bool:
    return app.timeline.now is not None and not any(worker.is_running for worker in app.workers)


# ---- the table ---------------------------------------------------------------------------------------------------


def row(name: str, values: list[float], required: str = "") -> None:
    """One line, in ms."""
    ordered = sorted(values)
    high = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    told = f"{median(ordered):8.1f} {high:8.1f} {ordered[-1]:8.1f}"
    print(f"{name:44} {told} {len(ordered):6}   {required}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=60)
    parser.add_argument("--flips", type=int, default=12)
    parser.add_argument("--workspace", type=Path, help="of the real engine; a copy is used")
    options = parser.parse_args()
    spare_collections()
    print(f"{'ms':44} {'median':>8} {'95 %':>8} {'longest':>8} {'keys':>6}   required")
    for size in SIZES:
        session = asyncio.run(keys(size, options.keys))
        print(f"{LAYERS * HEADS} heads, {size[0]} × {size[1]}")
        for name, took in session.took.items():
            row(f"  {name}", took)
        row("  all keys", [each for took in session.took.values() for each in took], "median and 95 % ≤ 50")
        row("  all keys, in processor time", session.used)
    if options.flips:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "workspace"
            if options.workspace:
                shutil.copytree(options.workspace, root)
            else:
                (root / "programs").mkdir(parents=True)
                (root / "readhead.toml").write_text(SETTINGS, "utf-8")
            first, last, passes = asyncio.run(first_estimates(root, options.flips))
        print("the real engine")
        allowed = 1000 * (0.35 * median(passes) + 0.1)
        row("  a neural pass over all dev texts", [1000 * each for each in passes])
        row("  flip → first figure on the screen", [1000 * each for each in first], f"median ≤ {allowed:.0f}")
        row("  flip → all figures", [1000 * each for each in last])
    sys.stdout.flush()


if __name__ == "__main__":
    main()
