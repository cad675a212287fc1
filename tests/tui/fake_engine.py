"""An engine in the app's own process: answers from a `FakeWorkspace`, and does on demand what engines do to front ends.

It takes exactly the calls that `readhead.engine` takes, and whatever goes in or out goes through JSON.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from readhead.engine import EngineGoneError, State
from readhead.engine.client import EngineError, Listener
from readhead.engine.works import METHODS
from readhead.heads import HeadId
from tui.fake_workspace import FakeWorkspace, source_of

Answer = tuple[Sequence[Any], Any]
"""Parts, and the result."""


@dataclass
class Held:
    """An answer that is held back until it is released."""

    is_reached: bool = False
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        """Let it go on."""
        self.gate.set()


class FakeEngine:
    """Ready as soon as it is started, unless `opens` is False; `attach` is for `ReadheadApp`.

    Args:
        workspace: what it knows; one of 4 × 8 heads by default.
        opens: whether it opens the workspace by itself; else `go` takes it from state to state.
        ranked: whether the programs are ranked then; else `finish_ranking` does.
    """

    def __init__(self, workspace: FakeWorkspace | None = None, *, opens: bool = True, ranked: bool = True) -> None:
        self.workspace = workspace or FakeWorkspace()
        self.workspace.is_ranked = ranked
        self.state: State = "closed"
        self.facts: dict[str, Any] = {}
        self.pid: int | None = 4711
        self.opens = opens
        self.calls: list[tuple[str, dict[str, Any]]] = []
        """All that was asked, the oldest first."""
        self.cancelled: list[str] = []
        """Methods whose caller turned away."""
        self.restarts = 0
        self._listener: Listener = lambda _event, _given: None
        self._held: dict[tuple[str, int], Held] = {}
        self._failing: dict[str, BaseException] = {}
        self._in_progress: set[asyncio.Event] = set()
        """Of each call an event: the engine has gone."""
        self._moved = asyncio.Event()

    def attach(self, root: Path, listener: Listener) -> Self:
        """Take the place of an engine."""
        self.workspace.root = root
        self._listener = listener
        return self

    # ---- as the app calls it -----------------------------------------------------------------------------------------

    def start(self) -> None:
        self.go("starting")
        if self.opens:
            self.open()

    async def close(self) -> None:
        self.break_off()
        self.go("closed")

    def restart(self) -> None:
        self.restarts += 1
        self.break_off()
        self.go("restarting")
        if self.opens:
            self.open()

    async def call(self, method: str, *, on_part: Callable[[Any], None] | None = None, **given: Any) -> Any:
        given = through_json(given)
        self.calls.append((method, given))
        await self._until_ready()
        gone = asyncio.Event()
        self._in_progress.add(gone)
        self._show_busy()
        try:
            await self._wait_at(method, 0, gone)
            parts, result = self._answer(method, given)
            for number, part in enumerate(parts, 1):
                if on_part is not None:
                    on_part(through_json(part))
                await self._wait_at(method, number, gone)
            return through_json(result)
        except asyncio.CancelledError:
            self.cancelled.append(method)
            raise
        finally:
            self._in_progress.discard(gone)
            self._show_busy()

    async def _until_ready(self) -> None:
        while self.state != "ready":
            if self.state == "closed":
                raise EngineGoneError("the engine is closed", hint="it runs while a front end is attached")
            if self.state == "failed":
                error = self.facts["error"]
                raise EngineError(error["code"], error["message"], error["hint"])
            self._moved.clear()
            await self._moved.wait()

    async def _wait_at(self, method: str, place: int, gone: asyncio.Event) -> None:
        held = self._held.get((method, place))
        if held is None:
            await asyncio.sleep(0)
        else:
            held.is_reached = True
            await first_of(held.gate, gone)
        if gone.is_set():
            raise EngineGoneError("the engine ended", hint="it is started again")

    def _answer(self, method: str, given: dict[str, Any]) -> Answer:
        if method in self._failing:
            raise self._failing.pop(method)
        if method not in METHODS:
            raise EngineError("RH100", f"the engine does not know {method!r}", f"it knows: {', '.join(METHODS)}")
        inspect.signature(METHODS[method][1]).bind(None, None, **given)  # a TypeError is the app's mistake
        found = getattr(self, f"_{method}")(**given)
        return found if isinstance(found, tuple) else ((), found)

    # ---- what it answers ---------------------------------------------------------------------------------------------

    def _facts(self) -> dict[str, Any]:
        return self.workspace.facts()

    def _cards(self) -> list[dict[str, Any]]:
        return self.workspace.cards()

    def _rank(self) -> list[dict[str, Any]]:
        self.finish_ranking()
        return self.workspace.cards()

    def _candidates(self, **given: Any) -> list[dict[str, Any]]:
        return self.workspace.candidates(**given)

    def _pattern(self, **given: Any) -> dict[str, Any]:
        return self.workspace.pattern(**given)

    def _worst_texts(self, **given: Any) -> list[dict[str, Any]]:
        return self.workspace.worst_texts(**given)

    def _switches(self) -> dict[str, Any]:
        return self.workspace.switches()

    def _flip(self, heads: Mapping[str, str | None] | None = None, best: Sequence[str] = ()) -> dict[str, Any]:
        workspace = self.workspace
        if best:
            workspace.need_ranking()
        refused = {head: workspace.unfit[head] for head in best if head in workspace.unfit}
        changes = dict(heads or {})
        for head, source in changes.items():
            if source is not None and head in workspace.unfit:
                raise EngineError("RH200", f"{head}: {workspace.unfit[head]}", "write another program")
        changes |= {head: workspace.best_source(head) for head in best if head not in refused}
        return self._changed(changes) | {"refused": refused}

    def _changed(self, heads: Mapping[str, str | None]) -> dict[str, Any]:
        self.workspace.change(dict(heads))
        self.say("switches", **self.workspace.switches())
        return self.workspace.switches()

    def _save_board(self, path: str) -> dict[str, Any]:
        Path(path).write_text(json.dumps(self.workspace.board), "utf-8")
        return {"path": path, "heads": len(self.workspace.board)}

    def _load_board(self, path: str) -> dict[str, Any]:
        try:
            board = json.loads(Path(path).read_text("utf-8"))
        except FileNotFoundError as error:
            raise EngineError("RH600", f"{path} cannot be read", "name a saved switchboard") from error
        return self._changed(dict.fromkeys(self.workspace.board) | board) | {"refused": {}}

    def _perplexity(self, *, details: bool = False, controls: Sequence[str] = ()) -> Answer:
        parts = self.workspace.estimates()
        last = dict(parts[-1])
        heads = len(self.workspace.board)
        if controls:
            last["controls"] = {name: self.workspace.control_percent(name, heads) for name in controls}
        if details:
            last |= {"kl": 0.01 * heads, "top1_agreement": 1 - 0.01 * heads}
        return parts, last

    def _impacts(self, heads: Sequence[str] | None = None) -> Answer:
        self.workspace.need_ranking()
        rows = [row for row in self.workspace.impacts() if heads is None or row["head"] in heads]
        return rows, rows

    def _curve(
        self, order: str = "iou", controls: Sequence[str] = ("uniform",), of_part: str = "held-out",
        fractions: Sequence[float] | None = None,
    ) -> Answer:  # fmt: skip
        self.workspace.need_ranking()
        ordered = self.workspace.best_first()
        points = [
            self._point(fraction, ordered[: round(fraction * len(ordered))], controls)
            for fraction in (fractions or (0.05, 0.1, 0.25, 0.5, 0.75, 1.0))
        ]
        perplexity = {"order": order, "part": of_part, "neural_perplexity": 9.0, "points": points}
        return points, perplexity | {"neural": self.workspace.unfit}

    def _point(self, fraction: float, heads: Sequence[HeadId], controls: Sequence[str]) -> dict[str, Any]:
        increase = sum(self.workspace.cost_percent(str(head)) for head in heads)
        return {
            "fraction": fraction,
            "heads": [str(head) for head in heads],
            "increase_percent": increase,
            "low": increase - 1,
            "high": increase + 1,
            "perplexity": 9.0 * (1 + increase / 100),
            "preliminary": False,
            "controls": {name: self.workspace.control_percent(name, len(heads)) for name in controls},
        }

    def _plan(self, budget: float, order: str = "greedy") -> dict[str, Any]:
        self.workspace.need_ranking()
        heads, increase = [], 0.0
        for head in self.workspace.best_first():
            if increase + self.workspace.cost_percent(str(head)) > budget:
                break
            heads.append(str(head))
            increase += self.workspace.cost_percent(str(head))
        if not heads:
            raise EngineError("RH100", "not even one head is within the budget", "allow for more")
        return {"heads": heads, "increase_percent": increase, "order": order, "neural": self.workspace.unfit}

    def _generate(self, prompt: str, tokens: int = 60, temperature: float = 0.0) -> Answer:
        del temperature
        if not self.workspace.board:
            raise EngineError("RH100", "no head is in program mode", "flip one first")
        neural = [f" word{number}" for number in range(tokens)]
        hybrid = [word if number < 3 else word.upper() for number, word in enumerate(neural)]
        ids = {"neural": list(range(tokens)), "hybrid": [k if k < 3 else 1000 + k for k in range(tokens)]}
        parts = [
            {
                "prompt": prompt,
                "neural": "".join(neural[:count]),
                "hybrid": "".join(hybrid[:count]),
                "tokens": {name: each[:count] for name, each in ids.items()},
                "seconds": {"neural": 0.01 * count, "hybrid": 0.02 * count},
                "failed": {},
                "left_neural": {},
            }
            for count in range(1, tokens + 1)
        ]
        return parts, parts[-1]

    def _front(self, head: str, terms: int = 8) -> list[dict[str, Any]]:
        wanted = HeadId.parse(head)
        rows = [
            self.workspace.row(wanted, long_source(wanted, size), "symbolic", lift=0.05 * size)
            for size in range(1, min(terms, 4) + 1)
        ]
        self.workspace.written.setdefault(head, []).extend(rows)
        extra = {"head": head, "set_tokens": 0}
        return [row | extra | {"chosen": row is rows[-1]} for row in rows]

    def _draft(self, head: str, rounds: int = 2, candidates: int = 5, terms: int = 8) -> Answer:
        del rounds, terms
        wanted = HeadId.parse(head)
        parts = [
            {"about": head, "name": f"#{number}", "stage": "scored", "iou": 0.3, "tokens": 120, "seconds": 1.5}
            for number in range(1, candidates + 1)
        ]
        rows = [self.workspace.row(wanted, source_of("draft", wanted, number), "ollama") for number in range(2)]
        self.workspace.written.setdefault(head, []).extend(rows)
        return parts, {"programs": rows, "notes": [], "error": None}

    def _refine(self, source: str, head: str, name: str = "program", rounds: int = 1) -> Answer:
        del rounds
        row = self.workspace.row(HeadId.parse(head), source + "# refined\n", "ollama")
        part = {"about": head, "name": "refinement", "stage": "scored", "iou": row["iou"], "tokens": 90, "seconds": 1.0}
        revised = {
            "file": name, "head": head, "changed": True, "kept": None, "notes": [], "source": row["source"],
            "fit": {"before": 0.3, "after": 0.4}, "dev": {"before": 0.3, "after": row["iou"]},
        }  # fmt: skip
        return [part], revised

    def _score(self, source: str, heads: Sequence[str], name: str = "program", mistakes: int = 5) -> list[Any]:
        del name, mistakes
        return [self.workspace.scored(HeadId.parse(head), source) for head in heads]

    def _keep(self, source: str, head: str) -> dict[str, Any]:
        path = self.workspace.programs / f"{head}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, "utf-8")
        return {"path": str(path), "note": ""}

    # ---- on demand ---------------------------------------------------------------------------------------------------

    def say(self, event: str, **given: Any) -> None:
        """An event to the app."""
        self._listener(event, through_json(given))

    def go(self, state: State, **facts: Any) -> None:
        """To another state."""
        self.state, self.facts = state, facts
        self._moved.set()
        self.say("state", state=state, **facts)

    def open(self) -> None:
        """Load the model, and be ready."""
        self.go("loading")
        self.go("ready", **self.workspace.facts())

    def fail(self, message: str, hint: str = "") -> None:
        """Give up: the workspace cannot be opened."""
        self.break_off()
        self.go("failed", error={"code": "RH300", "message": message, "hint": hint})

    def die(self) -> None:
        """End in the midst of whatever is done, and be started again; `open` goes on."""
        self.break_off()
        self.go("restarting")

    def break_off(self) -> None:
        """Whoever waits for an answer hears that the engine has gone."""
        for gone in self._in_progress:
            gone.set()

    def finish_ranking(self) -> None:
        """All programs are ranked."""
        self.workspace.is_ranked = True
        self.say("ranked")

    def flip_elsewhere(self, *heads: str) -> None:
        """As another front end does it: to the best program, or to neural."""
        board = self.workspace.board
        self._changed({head: None if head in board else self.workspace.best_source(head) for head in heads})

    def hold(self, method: str, after: int = 0) -> Held:
        """Hold back answers to a method, behind so many parts."""
        held = self._held[method, after] = Held()
        return held

    def let_go(self) -> None:
        """Hold nothing back any more."""
        for held in self._held.values():
            held.release()
        self._held.clear()

    def fail_next(self, method: str, error: BaseException) -> None:
        """Answer a method with an error, once."""
        self._failing[method] = error

    def asked(self, method: str) -> list[dict[str, Any]]:
        """With what a method was called."""
        return [given for name, given in self.calls if name == method]

    def _show_busy(self) -> None:
        self.say("busy", jobs=len(self._in_progress))


def long_source(head: HeadId, size: int) -> str:
    """The text of a program that no screen shows at once."""
    return source_of("search", head, size) + "".join(f"    # line {number}\n" for number in range(40))


async def first_of(*events: asyncio.Event) -> None:
    """Wait until one of some events comes about."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()


def through_json(value: Any) -> Any:
    """As it comes out on the other side of a socket."""
    return json.loads(json.dumps(value))
