"""The perplexity: of the current switchboard, beside its controls, and of every switchboard of this session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import DataTable, Static

from readhead_tui import figures
from readhead_tui.known import Known, counted
from readhead_tui.plots import span, whisker

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from readhead_tui.timeline import Moment, Timeline

_PLOT = (8, 60)
"""The fewest and the most columns of the plot."""
_WIDTHS = {" ": 1, "Flip": 22, "Heads": 5, "Perplexity": 10, "Change, 95 %": 21}
"""Columns of the table without the plot."""
_KEY = "○ so far"


class PerplexityView(Vertical):
    """Figures above, the flips below; the cursor goes through them."""

    DEFAULT_CSS = """
    PerplexityView #figures { height: auto; padding: 0 1 1 1; }
    PerplexityView #moments { height: 1fr; background: $background; }
    """
    ALLOW_SELECT: ClassVar[bool] = False

    @dataclass
    class Returned(Message):
        """The user wants an earlier (or later) switchboard back."""

        place: int

    def __init__(self, known: Known, timeline: Timeline, *, id: str | None = None) -> None:  # noqa: A002 - as Textual
        super().__init__(id=id)
        self.known = known
        self.timeline = timeline
        self._was_unseen = True

    def compose(self) -> ComposeResult:
        """Figures and the table of flips."""
        yield Static(id="figures")
        yield DataTable(id="moments", cursor_type="row", zebra_stripes=True)

    def on_mount(self) -> None:
        """Draw what there is."""
        self.redraw()

    @property
    def _table(self) -> DataTable[Text | str]:
        return self.query_one("#moments", DataTable)

    def on_resize(self) -> None:
        """The plot follows the room."""
        self.redraw()

    def redraw(self) -> None:
        """Something of the timeline has changed."""
        if not self.is_mounted or not self.size:
            self._was_unseen = True
            return  # it is drawn when it is seen
        self.query_one("#figures", Static).update(self._figures())
        table, moments = self._table, self.timeline.moments
        kept = table.cursor_row
        table.clear(columns=True)
        plot = min(_PLOT[1], max(_PLOT[0], self.size.width - sum(_WIDTHS.values()) - 2 * (len(_WIDTHS) + 1)))
        for name, width in {**_WIDTHS, _KEY: plot}.items():
            table.add_column(name, width=width)
        bounds = [
            each for moment in moments if moment.impact
            for each in (moment.impact.increase_percent, moment.impact.low, moment.impact.high)
        ]  # fmt: skip
        scale = span(bounds)
        for place, moment in enumerate(moments):
            table.add_row(*self._row(place, moment, scale, plot), key=str(place))
        follows = self._was_unseen or not table.has_focus
        self._was_unseen = False
        if moments:
            table.move_cursor(row=self.timeline.place if follows else min(kept, len(moments) - 1))

    def _row(self, place: int, moment: Moment, scale: tuple[float, float], width: int) -> list[Text | str]:
        mark = Text("▶", style="bold") if place == self.timeline.place else Text("")
        label = Text(moment.label, no_wrap=True)
        label.truncate(_WIDTHS["Flip"], overflow="ellipsis")
        impact = moment.impact
        if impact is None:
            is_measured = place == self.timeline.place  # or is about to be
            told = Text(moment.problem or ("…" if is_measured else "·"), style="italic")
            return [mark, label, str(len(moment.board)), told, "", ""]
        dot = "○" if impact.sequences < self.known.corpus.get("dev", 0) else "●"
        interval = f"{counted(impact.sequences, 'text')} only" if impact.preliminary else figures.interval(impact)
        plot = whisker(impact.increase_percent, impact.low, impact.high, scale, width, dot=dot)
        return [
            mark,
            label,
            str(len(moment.board)),
            Text(figures.perplexity(impact.perplexity), justify="right"),
            Text(f"{figures.percent(impact.increase_percent)} {interval}"),
            Text(plot),
        ]

    def _figures(self) -> Text:
        now, shown = self.timeline.now, Text()
        if now is None:
            return Text("waiting for the engine", style="dim")
        impact = now.impact
        if impact is None:
            return Text(f"not measured: {now.problem}" if now.problem else "being measured …")
        shown.append(
            f"{figures.perplexity(impact.neural_perplexity)} → {figures.perplexity(impact.perplexity)}", "bold"
        )
        shown.append("  neural → hybrid perplexity\n", style="dim")
        shown.append(f"{figures.percent(impact.increase_percent)} {figures.interval(impact)}", style="bold")
        shown.append("  change, paired 95 % interval over texts\n", style="dim")
        if impact.kl is not None and impact.top1_agreement is not None:
            shown.append(f"KL {impact.kl:.4f} nats, top-1 agreement {impact.top1_agreement:.1%}")
            shown.append("  between next tokens\n", style="dim")
        if impact.controls:
            told = ", ".join(f"{name} {figures.percent(value)}" for name, value in impact.controls.items())
            shown.append(f"on the same heads instead: {told}\n")
        if impact.failed:
            told = ", ".join(f"{head} on {counted(count, 'text')}" for head, count in impact.failed.items())
            shown.append(f"neural because the program failed: {told}\n", style="italic")
        if now.problem:
            shown.append(f"not measured to the end: {now.problem}\n", style="italic")
        corpus = self.known.corpus
        stamp = f"{self.known.model}, {corpus.get('name', '')} dev, {counted(impact.sequences, 'text')} of "
        stamp += f"{corpus.get('length', 0)} tokens, switchboard {now.stamp or 'empty'}"
        shown.append(stamp, style="dim")
        if self.known.isolation not in ("", "locked"):
            shown.append(f"\nIsolation of the programs: {self.known.isolation}", style="italic")
        return shown

    @on(DataTable.RowSelected, "#moments")
    def _selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        self.post_message(self.Returned(event.cursor_row))
