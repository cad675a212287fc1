"""The replacement curve: what ever more heads in program mode cost, and the most heads for a budget."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from rich.text import Text
from textual import on
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import DataTable, Static

from readhead.heads import HeadId
from readhead_tui import curve_words
from readhead_tui.curves import CONTROL, MEANINGS, PART, Curves, Planned, Point, next_order
from readhead_tui.plots import axis, span
from readhead_tui.question import Question, read_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.app import ComposeResult

    from readhead_tui.known import Known
    from readhead_tui.link import Link

_STAGES: Final = frozenset({"impact", "greedy", "budget"})
"""Of the engine's progress, that orders and plans go through."""
_SHORTEST: Final = 8
"""Columns of the plot at least."""
_SHORT: Final = 26
"""Lines below which little is left blank, and lists of heads are one line long."""
_TINY: Final = 14
"""Lines below which the table and the plan's first line come before all else."""
_PERCENT: Final = "percent, 0 or more: for example 5"


class CurveView(Vertical):
    """A row for each share of the heads, in the order that is shown; below it the row's heads and the plan."""

    DEFAULT_CSS = """
    CurveView #curve-facts { height: auto; padding: 0 1; }
    CurveView #points {
        height: 1fr; min-height: 4; max-height: 8; margin-top: 1; overflow-x: hidden; background: $background;
    }
    CurveView #curve-legend { height: 1; padding: 0 1; color: $text-muted; text-wrap: nowrap; }
    CurveView #curve-heads, CurveView #curve-plan { height: auto; max-height: 4; padding: 0 1; margin-top: 1; }
    CurveView.-short #points, CurveView.-short #curve-heads { margin-top: 0; }
    CurveView.-tiny-view #curve-facts { max-height: 3; }
    CurveView.-tiny-view #curve-legend, CurveView.-tiny-view #curve-heads { display: none; }
    CurveView.-tiny-view #curve-plan { margin-top: 0; max-height: 1; }
    """
    ALLOW_SELECT: ClassVar[bool] = False

    @dataclass
    class Taken(Message):
        """The user wants exactly these heads in program mode."""

        heads: tuple[HeadId, ...]

    class Changed(Message):
        """What can be done here has changed."""

    def __init__(self, known: Known, link: Link, *, id: str | None = None) -> None:  # noqa: A002 - as Textual calls it
        super().__init__(id=id)
        self.link = link
        self.curves = Curves(known)
        self.order = "iou"

    def compose(self) -> ComposeResult:
        """Facts, the curve, the row under the cursor, the plan."""
        yield Static(id="curve-facts")
        yield DataTable(id="points", cursor_type="row", zebra_stripes=True)
        yield Static(curve_words.LEGEND, id="curve-legend", markup=False)
        yield Static(id="curve-heads")
        yield Static(id="curve-plan")

    def on_mount(self) -> None:
        """An empty curve."""
        self.redraw()

    # ---- what can be done --------------------------------------------------------------------------------------------

    def take_order(self) -> None:
        """Show the next order."""
        self.order = next_order(self.order)
        self.redraw()

    def measure(self) -> None:
        """The curve of the shown order, from the engine."""
        self.link.begin(partial(self._measuring, self.order), "curve")

    def ask_budget(self) -> None:
        """How much it may cost."""

        def go(answer: str | None) -> None:
            if answer is not None:
                self.link.begin(partial(self._planning, read_number(answer, _PERCENT), self.order), "plan")

        question = Question(
            "By how many percent may the perplexity grow",
            initial=f"{self.curves.plan.budget:g}" if self.curves.plan else "5",
            hint=f"on dev; in the order {self.order}: {MEANINGS[self.order]}",
            check=partial(read_number, hint=_PERCENT),
        )
        self.app.push_screen(question, go)

    def stop(self) -> None:
        """End what is being measured or planned; what was measured stays."""
        self.curves.stopped = True
        for group in ("curve", "plan"):
            self.link.stop(group)

    def take_row(self) -> None:
        """Put the heads of the row under the cursor, and no others, into program mode."""
        if point := self.point:
            self.post_message(self.Taken(point.heads))

    def take_plan(self) -> None:
        """Put the plan's heads, and no others, into program mode."""
        if plan := self.curves.plan:
            self.post_message(self.Taken(plan.heads))

    @property
    def point(self) -> Point | None:
        """Of the row under the cursor; None while it is not measured."""
        rows, cursor = self.curves.rows(self.order), self._table.cursor_row
        return rows[cursor][2] if 0 <= cursor < len(rows) else None

    def why_no_measuring(self) -> str:
        """Why no curve can be measured now; empty if one can."""
        order = self.curves.measuring
        return f"the order {order} is being measured: esc stops it" if order else ""

    def why_no_planning(self) -> str:
        """The same of a plan."""
        budget = self.curves.planning
        return f"a plan for {budget} is being made: esc stops it" if budget else ""

    def why_no_row(self) -> str:
        """Why the row's heads cannot be put into program mode; empty if they can."""
        if self.point is None:
            return "this row is not measured yet: press m"
        return "this row is stale: m measures it anew" if self.curves.is_stale(self.point) else ""

    def why_no_plan(self) -> str:
        """The same of the plan's heads."""
        plan = self.curves.plan
        if plan is None:
            return "there is no plan yet: press b"
        return "the plan is stale: b makes another one" if self.curves.is_stale(plan) else ""

    def why_no_stop(self) -> str:
        """Why there is nothing to stop; empty if there is."""
        return "" if self.curves.measuring or self.curves.planning else "nothing is being measured"

    # ---- the engine --------------------------------------------------------------------------------------------------

    def outdate(self) -> None:
        """Programs or model have changed."""
        self.curves.outdate()
        self._changed()

    def progressed(self, given: Mapping[str, Any]) -> None:
        """How far the engine is with an order or a plan."""
        if (self.curves.measuring or self.curves.planning) and given["stage"] in _STAGES:
            self.curves.progress = f"{given['stage']} {given['done']}/{given['total']}"
            self._redraw_words()

    async def _measuring(self, order: str) -> None:
        curves, stamp = self.curves, self.curves.stamp
        curves.measuring, curves.measured, curves.stopped, curves.progress = order, 0, False, ""
        self._changed()

        def learn(part: Mapping[str, Any]) -> None:
            curves.measured += 1
            curves.learn(order, Point.read(part, stamp))
            self.redraw()

        try:
            found = await self.link.call("curve", order=order, controls=[CONTROL], of_part=PART, on_part=learn)
            curves.left_neural[order] = dict(found["neural"])
        finally:
            curves.measuring = ""
            self._changed()

    async def _planning(self, budget: float, order: str) -> None:
        curves, stamp = self.curves, self.curves.stamp
        curves.planning, curves.progress = f"{budget:g} %", ""
        self._changed()
        try:
            found = await self.link.call("plan", budget=budget, order=order)
            heads = tuple(HeadId.parse(head) for head in found["heads"])
            curves.plan = Planned(budget, heads, float(found["increase_percent"]), order, stamp)
        finally:
            curves.planning = ""
            self._changed()

    def _changed(self) -> None:
        self.redraw()
        self.post_message(self.Changed())

    # ---- drawing -----------------------------------------------------------------------------------------------------

    @property
    def _table(self) -> DataTable[Text]:
        return self.query_one("#points", DataTable)

    def on_resize(self) -> None:
        """The plot takes the room that there is."""
        self.set_class(self.size.height < _SHORT, "-short")
        self.set_class(self.size.height < _TINY, "-tiny-view")
        self.redraw()

    def redraw(self) -> None:
        """Something has changed."""
        if not self.is_mounted or not self.size:
            return  # it is drawn when it is seen
        table, cursor, shown = self._table, self._table.cursor_row, self.curves.rows(self.order)
        rows = [curve_words.row(self.curves, *each) for each in shown]
        widths = [max(len(name), *(row[place].cell_len for row in rows))
                  for place, name in enumerate(curve_words.COLUMNS)]  # fmt: skip
        width = max(_SHORTEST, self.size.width - sum(width + 2 for width in widths) - 3)
        points = [point for *_, point in shown if point]
        scale = span(each for point in points for each in (point.increase_percent, point.low, point.high))
        table.clear(columns=True)
        for name, cells in zip(curve_words.COLUMNS, widths, strict=True):
            table.add_column(Text(name, justify="left" if name == "Heads" else "right"), width=cells)
        table.add_column(Text(axis(scale, width) if points else ""), width=width + 1)
        for row, (*_, point) in zip(rows, shown, strict=True):
            table.add_row(*row, curve_words.plot(self.curves, point, scale, width))
        table.move_cursor(row=cursor)
        self._redraw_words()

    def _redraw_words(self) -> None:
        lines = 1 if self.size.height < _SHORT else 3
        room = lines * (self.size.width - 8) - 20  # what precedes and follows the names, and words that do not break
        self.query_one("#curve-facts", Static).update(curve_words.facts(self.curves, self.order))
        self.query_one("#curve-heads", Static).update(curve_words.heads(self.point, room))
        self.query_one("#curve-plan", Static).update(curve_words.plan(self.curves, room))

    @on(DataTable.RowHighlighted, "#points")
    def _highlighted(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        self._redraw_words()
        self.post_message(self.Changed())

    @on(DataTable.RowSelected, "#points")
    async def _selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        await self.app.run_action("do('curve_row')")
