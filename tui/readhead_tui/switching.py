"""Flips: asked of the engine, drawn at once as pending, told by it to all front ends; then the perplexity, in steps."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from readhead.engine import Impacted
from readhead.engine.client import EngineError
from readhead.heads import HeadId
from readhead_tui.known import Alone, Known, counted
from readhead_tui.question import read_whole
from readhead_tui.timeline import difference, label_of

if TYPE_CHECKING:
    from readhead_tui.app import ReadheadApp


class Switching:
    """Changes the workspace's switchboard, and measures it."""

    def __init__(self, app: ReadheadApp) -> None:
        self._app = app
        self._known: Known = app.known
        self._own = 0
        """Flips of ours of which the engine has not told yet."""
        self._told = 0
        """Flips of which it has told."""

    def flip(self, heads: set[HeadId]) -> None:
        """To neural if all are in program mode, else to program mode."""
        board, chosen = self._known.board, self._known.chosen
        if all(head in board for head in heads):
            self.change(dict.fromkeys(heads), [])
            return
        to_program = {head for head in heads if head not in board}
        given = {head: chosen[head].source for head in to_program if head in chosen}
        self.change(given, sorted(to_program - given.keys()))

    def change(self, given: Mapping[HeadId, str | None], best: list[HeadId]) -> None:
        """Give heads these texts, or (None) make them neural; `best` ones get their best programs. One step to undo."""
        heads = {*given, *best}
        if heads:
            self._known.pending |= heads
            self._app.map.redraw(heads)
            self._app.link.begin(partial(self._flipping, given, best), "flip", exclusive=False)

    async def _flipping(self, given: Mapping[HeadId, str | None], best: list[HeadId]) -> None:
        try:
            sources = {str(head): source for head, source in given.items()}
            flip = self._app.link.call("flip", heads=sources, best=[str(head) for head in best])
            found = await self.announced(flip)
        except BaseException:
            self._app.timeline.stay()
            raise
        finally:
            self._known.pending -= {*given, *best}
            self._app.redraw_heads()
        refused = found.get("refused") or {}
        if refused:
            told = "; ".join(f"{head}: {reason}" for head, reason in list(refused.items())[:3])
            self._app.notify(f"{counted(len(refused), 'head')} stayed neural. {told}", title="flip", severity="warning")

    async def flip_best(self) -> None:
        """Ask how many."""

        def read(text: str) -> int:
            return read_whole(text, "heads", self._known.geometry.size)

        def go(text: str) -> None:
            self.change({}, [head for head in self._known.best(read(text)) if head not in self._known.board])

        await self._app.ask("How many of the best heads to put into program mode", go, hint="by IoU on dev", check=read)

    def step(self, by: int) -> None:
        """Undo or redo, counted from where earlier steps lead."""
        self.travel(self._app.timeline.aim + by)

    def travel(self, place: int) -> None:
        """To another moment of the timeline."""
        self.change(self._app.timeline.go(place), [])

    def arrive(self, switches: Mapping[str, Any]) -> None:
        """The engine tells of a flip, of ours or of another front end."""
        self._told += 1
        is_own = self._own > 0
        self._own -= is_own
        self.learn(switches, is_own=is_own)

    async def learn_current(self) -> None:
        """Ask for the current switchboard; what was told meanwhile is newer than the answer."""
        told = self._told
        switches = await self._app.link.call("switches")
        if told == self._told:
            self.learn(switches)

    def learn(self, switches: Mapping[str, Any], *, is_own: bool = False) -> None:
        """The current switchboard."""
        before = dict(self._known.board)
        self._known.learn_board(switches["heads"], switches["fingerprint"])
        flip = difference(before, self._known.board)
        if not self._app.timeline.moments:
            label = "as it was"
        else:
            label = label_of(flip) if is_own else f"elsewhere: {label_of(flip)}"
        self._app.timeline.arrive(self._known.board, self._known.board_stamp, label)
        self._app.redraw_heads()
        self.measure()

    def measure(self, controls: tuple[str, ...] = ()) -> None:
        """The perplexity of the current switchboard."""
        self._app.link.begin(partial(self._measuring, list(controls)), "perplexity")

    async def _measuring(self, controls: list[str]) -> None:
        def learn(part: Mapping[str, Any]) -> None:
            if self._app.timeline.learn(Impacted.read(dict(part))):
                self._app.perplexity_view.redraw()
                self._app.redraw()

        moment = self._app.timeline.now
        try:
            learn(await self._app.link.call("perplexity", details=True, controls=controls, on_part=learn))
        except EngineError as error:
            if moment is not None:
                moment.problem = str(error)
            self._app.redraw_heads()
            raise

    def measure_controls(self) -> None:
        """What other attention on the same heads costs."""
        self.measure(("zero", "uniform", "first"))

    def measure_impacts(self) -> None:
        """Every head's best program alone."""
        self._app.map.colouring = "impact"
        self._app.link.begin(self._measuring_impacts, "impacts")

    async def _measuring_impacts(self) -> None:
        done = 0

        def learn(part: Mapping[str, Any]) -> None:
            nonlocal done
            done += 1
            self._known.impacts[HeadId.parse(part["head"])] = Alone.read(part)
            self._app.progress = f"impacts {done}/{self._known.geometry.size}"
            self._app.map.redraw()
            self._app.redraw()

        try:
            await self._app.link.call("impacts", on_part=learn)
        finally:
            self._app.progress = ""
            self._app.redraw_heads()

    # ---- announced changes -------------------------------------------------------------------------------------------

    async def announced(self, change: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - JSON
        """Wait for a change that the engine will tell of as ours."""
        self._own += 1
        try:
            return await change
        except BaseException:
            self._own = max(0, self._own - 1)  # it may have been told of before it failed
            raise
