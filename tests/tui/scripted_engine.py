"""An engine that answers curves, plans and texts from tables, and can wait in their midst; and an app on it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from textual.widgets import Static

from readhead.engine.client import EngineError
from readhead.engine.results import text_stamp
from readhead.surrogates.outcome import Continuation
from readhead.surrogates.planner import FRACTIONS, count_of
from readhead_tui.app import ReadheadApp
from readhead_tui.remembered import Remembered

if TYPE_CHECKING:
    from textual.pilot import Pilot

HEADS = [f"L{layer}H{index}" for layer in range(4) for index in range(8)]
CORPUS = {"name": "stories", "fit": 64, "dev": 32, "held_out": 32, "length": 64, "too_short": 0, "copies": 0}
FACTS = {"model": "small", "layers": 4, "heads": 8, "corpus": CORPUS, "isolation": "locked", "programs": ""}
STORY = {"neural": " there was a little girl", "hybrid": " there was a big dog"}


def point(fraction: float, neural: float = 60.0) -> dict[str, Any]:
    """What a share of the heads costs: a tenth of it in percent, and twenty times as much for the control."""
    heads = HEADS[: count_of(fraction, len(HEADS))]
    cost = 10 * fraction
    return {
        "fraction": fraction, "heads": heads, "perplexity": neural * (1 + cost / 100), "increase_percent": cost,
        "low": cost - 3, "high": cost + 3, "preliminary": False, "controls": {"uniform": 20 * cost},
    }  # fmt: skip


def written(words: int, prompt: str = "Once") -> dict[str, Any]:
    """Both texts after so many words, as the engine tells them."""
    texts = {name: " ".join(text.split(" ")[: words + 1]) for name, text in STORY.items()}
    tokens = {"neural": (1, 2, 3, 4, 5)[:words], "hybrid": (1, 2, 3, 6, 7)[:words]}
    seconds = {"neural": words / 50, "hybrid": words / 10}
    text = Continuation(prompt, texts["neural"], texts["hybrid"], tokens, seconds, {})
    sent: dict[str, Any] = json.loads(json.dumps(text.as_sent() | {"failed": {"L0H1": 2}}))
    return sent


@dataclass
class ScriptedEngine:
    """`holds` names methods with how many parts they send before they wait for `let_go`."""

    state: Any = "closed"
    facts: dict[str, Any] = field(default_factory=lambda: dict(FACTS))
    pid: int | None = 1
    board: dict[str, str] = field(default_factory=dict)
    ranked: bool = True
    edition: int = 0
    holds: dict[str, int] = field(default_factory=dict)
    fails: dict[str, EngineError] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    tell: Callable[[str, dict[str, Any]], None] = lambda _event, _given: None

    def attach(self, _root: Path, tell: Callable[[str, dict[str, Any]], None]) -> ScriptedEngine:
        self.tell = tell
        return self

    def start(self) -> None:
        self.become_ready()

    def become_ready(self) -> None:
        self.state = "ready"
        self.tell("state", {"state": "ready", **self.facts})

    async def close(self) -> None:
        self.state = "closed"

    def restart(self) -> None:
        self.become_ready()

    def given_to(self, method: str) -> list[dict[str, Any]]:
        return [given for name, given in self.asked if name == method]

    async def call(self, method: str, *, on_part: Callable[[Any], None] | None = None, **given: Any) -> Any:
        self.asked.append((method, given))
        await asyncio.sleep(0)
        if method in self.fails:
            raise self.fails[method]
        try:
            return await getattr(self, f"_{method}")(on_part or (lambda _: None), **given)
        except asyncio.CancelledError:
            self.cancelled.append(method)
            raise

    async def _send(self, method: str, parts: list[Any], send: Callable[[Any], None]) -> None:
        for number, part in enumerate(parts):
            if self.holds.get(method) == number:
                await self.let_go.wait()
            send(part)
            await asyncio.sleep(0)

    def _switches_now(self) -> dict[str, Any]:
        stamp = hashlib.sha256(json.dumps(self.board, sort_keys=True).encode()).hexdigest()[:16] if self.board else ""
        return {"heads": dict(self.board), "fingerprint": stamp}

    async def _switches(self, _send: Any) -> dict[str, Any]:
        return self._switches_now()

    async def _flip(self, _send: Any, heads: dict[str, str | None], best: list[str]) -> dict[str, Any]:
        for head, source in heads.items():
            if source is None:
                self.board.pop(head, None)
            else:
                self.board[head] = source
        self.board |= {head: self._best_of(head) for head in best}
        self.tell("switches", self._switches_now())
        return self._switches_now() | {"refused": {}}

    async def _cards(self, _send: Any) -> list[dict[str, Any]]:
        cards = [{"head": head, "trivial": "uniform", "trivial_iou": 0.5, "inactive": False} for head in HEADS]
        for card in cards if self.ranked else ():
            card |= {"best": "near", "best_iou": 0.7, "text": text_stamp(self._best_of(card["head"]))}
        return cards

    def _best_of(self, head: Any) -> str:
        return f"# the best of {head}, {self.edition}"

    async def _candidates(self, _send: Any, **_given: Any) -> list[Any]:
        return []

    async def _pattern(self, _send: Any, **_given: Any) -> dict[str, Any]:
        return {"tokens": ["a", "b"], "pattern": [[1.0, 0.0], [0.5, 0.5]], "prediction": None, "of": 1}

    async def _perplexity(self, _send: Any, **_given: Any) -> dict[str, Any]:
        stamp = {"board": self._switches_now()["fingerprint"]}
        return {"stamp": stamp, "perplexity": 61.0, "neural_perplexity": 60.0, "increase_percent": 1.6, "low": 1.0,
                "high": 2.0, "preliminary": False, "sequences": 32}  # fmt: skip

    async def _curve(self, send: Any, order: str, **_given: Any) -> dict[str, Any]:
        points = [point(fraction) for fraction in FRACTIONS]
        await self._send("curve", points, send)
        return {"order": order, "part": "held-out", "neural_perplexity": 60.0, "points": points,
                "neural": {"L3H7": "it looks ahead"}}  # fmt: skip

    async def _plan(self, send: Any, budget: float, order: str) -> dict[str, Any]:
        await self._send("plan", [None], send)
        return {"heads": ["L1H3", "L0H4"], "increase_percent": budget - 0.5, "order": order, "neural": {}}

    async def _generate(self, send: Any, prompt: str, tokens: int, temperature: float) -> dict[str, Any]:
        assert tokens > 0
        assert temperature >= 0
        await self._send("generate", [written(words, prompt) for words in range(1, 6)], send)
        return written(5, prompt)


@dataclass
class Shown:
    """An app that runs."""

    app: ReadheadApp
    pilot: Pilot[None]
    engine: ScriptedEngine
    patience_s: float = 10.0

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until it does."""
        end = time.monotonic() + self.patience_s
        while not holds():
            assert time.monotonic() < end, f"in vain; shown is\n{self.screen}"
            await self.pilot.pause()

    @property
    def screen(self) -> str:
        """All lines, as text."""
        return "\n".join(line.text.rstrip() for line in self.app.screen._compositor.render_strips())

    def words(self, widget: str) -> str:
        """What a `Static` holds, in 100 columns; it may be longer than what is seen of it."""
        console = Console(width=100, color_system=None)
        with console.capture() as told:
            console.print(self.app.query_one(widget, Static).content)
        return told.get()

    @property
    def told(self) -> str:
        """What popped up."""
        return "\n".join(f"{each.title}: {each.message}" for each in self.app._notifications)


@asynccontextmanager
async def shown(
    root: Path, engine: ScriptedEngine | None = None, *, view: str, size: tuple[int, int] = (80, 24), **known: Any
) -> AsyncIterator[Shown]:
    """The app in one of its views, with the current switchboard learnt."""
    Remembered(welcomed=True, view=view, **known).write(root)
    engine = engine or ScriptedEngine()
    app = ReadheadApp(root, attach=engine.attach)
    async with app.run_test(size=size) as pilot:
        here = Shown(app, pilot, engine)
        await here.until(lambda: app.timeline.now and app.timeline.now.impact and app.known.cards)
        yield here
