"""An engine of four heads for tests of writing, editing and program files: it ranks the files that there are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from textual import events

from readhead.engine.client import EngineError, Listener
from readhead.heads import HeadId
from readhead.program import parse, read_program
from readhead_tui.app import ReadheadApp
from readhead_tui.remembered import Remembered

if TYPE_CHECKING:
    from textual.pilot import Pilot

HEADS = ("L0H0", "L0H1", "L1H0", "L1H1")
SHIPPED = '"""Spread evenly."""\n\n\ndef head(s):\n    return s.every\n'
FLOOR = 0.2


def program(value: float, head: str = "L0H0", words: str = "Look at the first token.") -> str:
    """A program whose IoU this engine takes from its text."""
    return (
        f'"""{words}"""\n\n# /// script\n# [tool.readhead]\n# heads = ["{head}"]\n# ///\n\n\n'
        f"def head(s):\n    return {value} * s.first\n"
    )


def iou_of(source: str) -> float:
    """The number in the program's last line."""
    last = source.rstrip().rsplit("return ", maxsplit=1)[-1].split(" *", maxsplit=1)[0]
    try:
        return float(last)
    except ValueError:
        return 0.3


class LittleEngine:
    """Answers at once, unless a call is held."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.programs = root / "programs"
        self.programs.mkdir(exist_ok=True)
        self.state = "closed"
        self.facts: dict[str, Any] = {}
        self.pid: int | None = 1
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.cancelled: list[str] = []
        self.held: dict[str, asyncio.Event] = {}
        """Calls that wait, once their parts are told."""
        self.parts: dict[str, list[dict[str, Any]]] = {}
        self.answers: dict[str, Any] = {}
        """In the place of an answer; an error is raised."""
        self._ranked: dict[str, str] = {}
        self._say: Listener = lambda _event, _given: None

    def attach(self, _root: Path, listener: Listener) -> Self:
        self._say = listener
        return self

    def start(self) -> None:
        self.state = "ready"
        self._rank()
        facts = {"model": "little", "layers": 2, "heads": 2, "corpus": {"dev": 4, "length": 8}, "isolation": "locked"}
        self._say("state", {"state": "ready", **facts, "programs": str(self.programs)})

    async def close(self) -> None:
        self.state = "closed"

    def restart(self) -> None:
        pass

    def hold(self, method: str) -> asyncio.Event:
        """Let calls of this method wait until the event is set."""
        return self.held.setdefault(method, asyncio.Event())

    def asked(self, method: str) -> list[dict[str, Any]]:
        """What each call of a method was given."""
        return [given for name, given in self.calls if name == method]

    def say(self, event: str, **given: Any) -> None:
        self._say(event, given)

    async def call(self, method: str, *, on_part: Callable[[Any], None] | None = None, **given: Any) -> Any:
        self.calls.append((method, given))
        await asyncio.sleep(0)
        for part in self.parts.get(method, []):
            assert on_part is not None
            on_part(part)
        try:
            if method in self.held:
                await self.held[method].wait()
        except asyncio.CancelledError:
            self.cancelled.append(method)
            raise
        if method in self.answers:
            answer = self.answers[method]
            if isinstance(answer, Exception):
                raise answer
            return answer
        return getattr(self, f"_{method}")(**given)

    # ---- answers -----------------------------------------------------------------------------------------------------

    def _rank(self) -> list[dict[str, Any]]:
        found = (read_program(path) for path in sorted(self.programs.rglob("*.py")))
        self._ranked = {str(each.path): each.source for each in found if not each.findings}
        self._say("ranked", {})
        return self._cards()

    def _rows(self, head: str) -> list[dict[str, Any]]:
        named = HeadId.parse(head)
        own = [self.row(source, "workspace", path) for path, source in self._ranked.items()
               if named in parse(source).metadata.heads]  # fmt: skip
        return sorted([*own, self.row(SHIPPED, "library", "/shipped/every.py")], key=lambda row: -row["iou"])

    @staticmethod
    def row(source: str, origin: str, path: str = "") -> dict[str, Any]:
        read = parse(source, name=Path(path).stem or "new")
        facts = {"name": read.name, "path": path, "origin": origin, "source": source, "terms": read.terms}
        return facts | {"iou": iou_of(source), "lines": read.lines, "explanation": read.explanation, "category": ""}

    def _cards(self) -> list[dict[str, Any]]:
        cards = []
        for head in HEADS:
            best = self._rows(head)[0]
            facts = {"head": head, "trivial": "uniform", "trivial_iou": FLOOR, "inactive": False}
            known = {"best": best["name"], "best_iou": best["iou"], "path": best["path"], "others": []}
            cards.append(facts | known | {"explanation": best["explanation"], "category": "", "mode": "neural"})
        return cards

    def _candidates(self, head: str, most: int = 12) -> list[dict[str, Any]]:
        return self._rows(head)[:most]

    def _score(self, source: str, heads: list[str], mistakes: int = 5, name: str = "") -> list[dict[str, Any]]:
        del mistakes, name
        facts = {"stamp": {}, "iou_without_first": None, "jsd": 0.1, "trivial": "uniform", "trivial_iou": FLOOR}
        fails = "no_such" in source
        more = {"inactive": False, "coverage": 0.5 if fails else 1.0, "sequences": 4, "iou": iou_of(source)}
        told = [{"kind": "error", "message": "no_such is not there", "line": 9}] if fails else []
        return [{"head": head} | facts | more | {"failures": told} for head in heads]

    def _pattern(self, head: str, **_given: Any) -> dict[str, Any]:
        pattern = [[1.0, 0.0], [0.5, 0.5]]
        return {"head": head, "of": 4, "tokens": ["a", "b"], "pattern": pattern, "prediction": pattern}

    def _switches(self) -> dict[str, Any]:
        return {"heads": {}, "fingerprint": ""}

    def _perplexity(self, **_given: Any) -> dict[str, Any]:
        return {"stamp": {"board": ""}, "perplexity": 9.0, "neural_perplexity": 9.0, "increase_percent": 0.0,
                "low": None, "high": None, "preliminary": False, "sequences": 4}  # fmt: skip

    def _front(self, head: str, terms: int = 8) -> list[dict[str, Any]]:
        rows = [self.row(program(0.3 + size / 100, head), "symbolic") for size in (1, 2, terms)]
        return [row | {"chosen": number == 1, "set_tokens": 0} for number, row in enumerate(rows)]

    def _draft(self, head: str, terms: int = 8) -> dict[str, Any]:
        del terms
        rows = [self.row(program(0.6, head, "Read the past."), "ollama")]
        return {"programs": rows, "notes": ["a prompt was cut"], "error": None}

    def _refine(self, source: str, head: str, name: str) -> dict[str, Any]:
        del source
        figures = {"before": 0.3, "after": 0.7}
        facts = {"file": name, "head": head, "changed": True, "kept": None, "notes": []}
        return facts | {"fit": figures, "dev": figures, "source": program(0.7, head, "Refined.")}

    def _keep(self, source: str, head: str) -> dict[str, Any]:
        path = self.programs / f"{head}_kept.py"
        path.write_text(source if head in source else program(iou_of(source), head), "utf-8")
        return {"path": str(path), "note": ""}


@dataclass
class Here:
    """An app that runs on the engine."""

    app: ReadheadApp
    engine: LittleEngine
    pilot: Pilot[None]
    messages: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Hear what pops up, for how short ever."""
        notify = self.app.notify

        def heard(message: str, **given: Any) -> None:
            self.messages.append(f"{given.get('title', '')}: {message}")
            notify(message, **given)

        self.app.notify = heard  # type: ignore[method-assign]  # of this app only

    async def press(self, *keys: str) -> None:
        """Press keys, each when the one before has been dealt with; the pilot's own way is slow."""
        driver = self.app._driver
        assert driver is not None
        for key in keys:
            event = events.Key(key, key if len(key) == 1 else None)
            event.set_sender(self.app)
            driver.send_message(event)
            for _ in range(4):
                await self.pilot._wait_for_screen()

    async def until(self, condition: Callable[[], object], seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"it does not come about; the screen:\n{self.screen}"
            await asyncio.sleep(0.01)

    async def seen(self, *texts: str, seconds: float = 10.0) -> None:
        """Wait until the screen shows the texts."""
        for text in texts:
            await self.until(lambda text=text: text in self.screen, seconds)  # type: ignore[misc]  # its default

    @property
    def screen(self) -> str:
        return "\n".join(line.text.rstrip() for line in self.app.screen._compositor.render_strips())

    @property
    def told(self) -> str:
        """All that popped up."""
        return "\n".join(self.messages)


@asynccontextmanager
async def here(
    root: Path, engine: LittleEngine | None = None, *, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[Here]:
    """The app, with the programs ranked and the files looked at."""
    engine = engine or LittleEngine(root)
    Remembered(welcomed=True).write(root)
    app = ReadheadApp(root, attach=engine.attach)
    app.animation_level = "none"
    async with app.run_test(size=size) as pilot:
        running = Here(app, engine, pilot)
        await running.until(lambda: app.known.ranked and app.files._stamps is not None)
        yield running


def run(root: Path, work: Callable[[Here], Awaitable[None]], engine: LittleEngine | None = None, **given: Any) -> None:
    """Do something in the app."""

    async def go() -> None:
        async with here(root, engine, **given) as running:
            await work(running)

    asyncio.run(go())


def with_file(root: Path, source: str = "") -> LittleEngine:
    """An engine whose L0H0 has a file of the workspace."""
    engine = LittleEngine(root)
    (root / "programs" / "L0H0.py").write_text(source or program(0.5), "utf-8")
    return engine


def broken_off(message: str, hint: str) -> EngineError:
    """An error of the engine."""
    return EngineError("RH600", message, hint)
