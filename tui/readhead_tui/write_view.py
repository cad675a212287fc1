"""Writing programs for a head: the search or a language model at work, line by line, and what they found."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from rich.text import Text
from textual import events, on
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import DataTable, Static

from readhead.errors import ReadheadError
from readhead.heads import HeadId
from readhead.synthesis.front import SIZES, WORTH
from readhead_tui.head_view import highlighted
from readhead_tui.known import Candidate, Known, counted
from readhead_tui.writings import KEPT, STAGES, Found, Kind, State, Step, Writing

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from readhead_tui.link import Link

GROUP: Final = "write"
"""Of the work that is done here."""
_WIDE: Final = 110
"""Columns from which the program stands beside the tables."""
_TICK_S: Final = 0.5
_FOUND: Final = {"": 4, "IoU": 6, "lift": 7, "to best": 8, "terms": 6, "lines": 6, " by": 7}
"""Columns of the programs with their widths; the last one, the explanation, has the rest."""
_STEPS: Final = {"step": 11, "stage": 17, "IoU fit": 8, "tokens": 7, "seconds": 8}
_FIGURES: Final = frozenset({"IoU", "lift", "to best", "terms", "lines", "IoU fit", "tokens", "seconds"})
_BY: Final = {"symbolic": "search", "ollama": "Ollama"}
_LEAST: Final = 16
"""Columns of a last column."""


class _Table(DataTable[Text], can_focus=False):
    """A table that takes no keys, which the app's table of actions has; a click points at a row."""

    @dataclass
    class Pointed(Message):
        """A row was clicked."""

        table: _Table
        row: int
        is_double: bool

        @property
        def control(self) -> _Table:
            """Which table."""
            return self.table

    def on_click(self, event: events.Click) -> None:
        """Tell which row; a header is none."""
        row = event.style.meta.get("row", -1)
        if row >= 0:
            self.post_message(self.Pointed(self, row, event.chain > 1))


class WriteView(Vertical):
    """What was written for the head that `show` names; one run at a time, whichever the head."""

    DEFAULT_CSS = """
    WriteView #write-facts { height: auto; max-height: 3; text-wrap: nowrap; text-overflow: ellipsis; }
    WriteView #write-problem { height: auto; max-height: 6; padding: 0 1; border-left: thick $error; }
    WriteView #write-notes { height: auto; max-height: 4; padding: 0 1; }
    WriteView #write-tables, WriteView #write-program { width: 1fr; height: 1fr; }
    WriteView #found { height: auto; max-height: 9; }
    WriteView #found > .datatable--cursor { text-style: bold reverse; }
    WriteView #steps { height: 1fr; }
    WriteView #steps > .datatable--cursor { background: $surface; color: $foreground; text-style: none; }
    WriteView #write-body { layout: vertical; }
    WriteView #write-source { width: 1fr; }
    WriteView #write-tables.-program { height: auto; }
    WriteView.-wide #write-body { layout: horizontal; }
    WriteView.-wide #write-tables { height: 1fr; width: 3fr; }
    WriteView.-wide #write-program { width: 2fr; padding-left: 2; }
    WriteView.-wide #found { max-height: 50%; }
    """
    ALLOW_SELECT: ClassVar[bool] = False

    @dataclass
    class Used(Message):
        """The user wants a program to be the one that is shown for a head."""

        head: HeadId
        candidate: Candidate

    class Changed(Message):
        """Other keys can act."""

    def __init__(self, known: Known, link: Link, *, id: str | None = None) -> None:  # noqa: A002 - as Textual calls it
        super().__init__(id=id)
        self.known = known
        self.link = link
        self.head = HeadId(0, 0)
        self.terms = 8
        """The most terms of a program."""
        self.place = 0
        """Of the highlighted one among the programs found."""
        self.shows_steps = False
        """Where there is room for one only: the steps, and not the program."""
        self._writings: dict[HeadId, Writing] = {}
        self._run: _Run | None = None
        """The one that goes on."""

    def compose(self) -> ComposeResult:
        """Facts; what went wrong; programs and steps; the highlighted program."""
        yield Static(id="write-facts")
        yield Static(id="write-problem")
        yield Static(id="write-notes")
        with Horizontal(id="write-body"):
            with Vertical(id="write-tables"):
                yield _Table(id="found", cursor_type="row", cell_padding=0)
                yield _Table(id="steps", cursor_type="none", cell_padding=0)
            with VerticalScroll(id="write-program", can_focus=False):
                yield Static(id="write-source")

    def on_mount(self) -> None:
        """While a run goes on, its seconds are counted."""
        self.set_interval(_TICK_S, self._tick)
        self.redraw()

    # ---- what is shown -----------------------------------------------------------------------------------------------

    @property
    def writing(self) -> Writing | None:
        """What was written for the head; None where nothing was."""
        return self._writings.get(self.head)

    @property
    def found(self) -> Found | None:
        """The highlighted program."""
        writing = self.writing
        return writing.found[self.place] if writing and self.place < len(writing.found) else None

    def show(self, head: HeadId) -> None:
        """Another head."""
        if head != self.head:
            self.head, self.place = head, 0
            self.redraw()

    def forget(self) -> None:
        """Another model, or other texts: what was found is of heads that are gone."""
        self.cancel()
        self._writings.clear()
        self.place = 0
        self.redraw()

    def move(self, step: int) -> None:
        """To another program."""
        if self.writing is not None and self.writing.found:
            self.place = min(max(0, self.place + step), len(self.writing.found) - 1)
            self.redraw()

    def scroll_program(self, step: int) -> None:
        """To other lines of the program."""
        self.query_one("#write-program", VerticalScroll).scroll_relative(y=step, animate=False)

    def toggle_steps(self) -> None:
        """The steps of the run in the place of the program, and back."""
        self.shows_steps = not self.shows_steps
        self.redraw()

    def change_terms(self, step: int) -> None:
        """Larger or smaller programs, from the next run on."""
        self.terms = SIZES[min(max(0, SIZES.index(self.terms) + step), len(SIZES) - 1)]
        self.redraw()

    def use(self) -> None:
        """Make the highlighted program the one that is shown for the head."""
        if self.found is not None:
            self.post_message(self.Used(self.head, self.found.candidate))
            self.call_later(self.redraw)

    # ---- why not -----------------------------------------------------------------------------------------------------

    def why_not_begin(self) -> str:
        """Why no run can be started now."""
        if self._run is None:
            return ""
        writing = self._run.writing
        return f"{writing.head} is being worked on ({writing.what}): esc in the write view ends it"

    def why_not_cancel(self) -> str:
        """Why there is nothing to cancel."""
        return "" if self._run else "nothing is being written"

    def why_no_program(self) -> str:
        """Why no program can be taken."""
        return "" if self.found else f"nothing was found for {self.head} yet: s searches, a asks Ollama"

    def why_no_steps(self) -> str:
        """Why there are no steps to see."""
        return "" if self.writing and self.writing.steps else f"no step of a run on {self.head} is known"

    # ---- runs --------------------------------------------------------------------------------------------------------

    def begin(self, kind: Kind, head: HeadId, subject: Candidate | None = None) -> None:
        """Search for programs, or ask a language model for some, or for a better one than `subject`."""
        if self._run is not None:
            return
        self.show(head)
        writing = self._writings.setdefault(head, Writing(head))
        writing.begin(kind, subject.name if subject else "")
        self._run = _Run(writing, subject)
        self.shows_steps = True
        self.redraw()
        self.link.begin(partial(self._work, self._run), GROUP)

    def cancel(self) -> None:
        """End the run, in the engine too; what came so far stays."""
        self.link.stop(GROUP)
        if self._run is not None:
            self._end(self._run, "cancelled")

    def progressed(self, given: dict[str, Any]) -> None:
        """The engine tells how far its work is: stages of a search are taken for those of this one."""
        if self._run is not None and self._run.writing.kind == "search" and given["stage"] in STAGES:
            self._run.writing.learn_progress(given["stage"], given["done"], given["total"])
            self._redraw_of(self._run.writing)

    async def _work(self, run: _Run) -> None:
        try:
            await self._ask(run)
        except asyncio.CancelledError:
            self._end(run, "cancelled")
            raise
        except ReadheadError as error:
            self._end(run, "failed", str(error), error.hint)
            raise
        except BaseException as error:
            self._end(run, "failed", f"{type(error).__name__}: {error}")
            raise
        self._end(run, "done")

    async def _ask(self, run: _Run) -> None:
        writing, subject = run.writing, run.subject

        def learn(part: dict[str, Any]) -> None:
            if self._run is run:
                writing.learn_step(part)
                self._redraw_of(writing)

        head = str(writing.head)
        if subject is not None:
            given = {"source": subject.source, "name": subject.name}
            writing.learn_revision(subject, await self.link.call("refine", head=head, on_part=learn, **given))
        elif writing.kind == "search":
            writing.learn_front(await self.link.call("front", head=head, terms=self.terms))
        else:
            drafted = await self.link.call("draft", head=head, terms=self.terms, on_part=learn)
            writing.learn_draft(drafted)
            if drafted["error"]:
                raise _DraftingError(drafted["error"]["message"], hint=drafted["error"]["hint"])

    def _end(self, run: _Run, state: State, problem: str = "", cure: str = "") -> None:
        if self._run is not run:
            return
        self._run = None
        writing = run.writing
        writing.end(state, problem, cure)
        if writing.head == self.head and state == "done" and writing.found:
            self.place, self.shows_steps = 0, False
        self._redraw_of(writing)
        self.post_message(self.Changed())

    # ---- drawing -----------------------------------------------------------------------------------------------------

    def on_resize(self) -> None:
        """The last columns take what room there is."""
        self.set_class(self.size.width >= _WIDE, "-wide")
        self.call_after_refresh(self.redraw)

    def _tick(self) -> None:
        if self._run is not None and self._run.writing.head == self.head:
            self.query_one("#write-facts", Static).update(self._facts())

    def _redraw_of(self, writing: Writing) -> None:
        if writing.head == self.head:
            self.redraw()

    def redraw(self) -> None:
        """Draw everything anew."""
        if not self.is_mounted or not self.is_attached:
            return
        writing = self.writing
        self.query_one("#write-facts", Static).update(self._facts())
        self._tell("#write-problem", _problem(writing))
        self._tell("#write-notes", Text("\n".join(writing.notes) if writing else "", style="italic"))
        beside = self.has_class("-wide")
        found = writing.found if writing else []
        steps = list(writing.steps.values()) if writing else []
        shows_steps = bool(steps) and (beside or self.shows_steps or not found)
        shows_program = bool(found) and (beside or not shows_steps)
        self.query_one("#write-tables").set_class(shows_program and not shows_steps, "-program")
        self.query_one("#write-program").display = shows_program
        if shows_program and self.found is not None:
            self.query_one("#write-source", Static).update(highlighted(self.found.candidate.source))
        self._draw_found(found)
        self._draw_steps(steps if shows_steps else [])

    def _tell(self, name: str, text: Text) -> None:
        shown = self.query_one(name, Static)
        shown.display = bool(text)
        shown.update(text)

    def _facts(self) -> Text:
        card, writing = self.known.card(self.head), self.writing
        facts = Text()
        facts.append(f" {self.head} ", style="bold reverse")
        facts.append(f"  floor {card.trivial_iou:.3f} {card.trivial}")
        if card.best_iou is not None:
            facts.append(f"   best {card.best} {card.best_iou:.3f}", style="bold")
        facts.append(f"   programs of up to {counted(self.terms, 'term')} (+ −)\n ")
        if writing is None:
            return facts.append("s searches, a asks Ollama for programs, f for a better one than the best")
        facts.append(f"{writing.what}: {writing.state}", style="bold")
        facts.append(f" {writing.seconds:.0f} s")
        if writing.is_running:
            facts.append("   esc cancels", style="dim")
        elif writing.found:
            facts.append(f"   ★ closest  ◆ each term brings {WORTH}  ▶ shown", style="dim")
        if writing.sums:
            facts.append(f"\n {writing.sums}")
        return facts

    def _draw_found(self, found: list[Found]) -> None:
        table = self.query_one("#found", _Table)
        table.display = bool(found)
        rest = self._begin_table(table, _FOUND, "explanation")
        shown = self._shown
        for number, each in enumerate(found):
            table.add_row(*self._found_row(each, rest, is_best=number == 0, is_shown=each.candidate.source == shown))
        if found:
            table.move_cursor(row=self.place)

    @property
    def _shown(self) -> str:
        """Text of the program that the user has chosen for the head."""
        chosen = self.known.chosen.get(self.head)
        return chosen.source if chosen else ""

    def _found_row(self, found: Found, rest: int, *, is_best: bool, is_shown: bool) -> list[Text]:
        candidate, card = found.candidate, self.known.card(self.head)
        value = candidate.iou or 0.0
        marks = (("★", is_best), ("◆", found.is_worth_its_terms), ("▶", is_shown))
        mark = "".join(mark if holds else " " for mark, holds in marks)
        best = "" if card.best_iou is None else f"{value - card.best_iou:+.3f}"
        figures = [f"{value:.3f}", f"{value - card.trivial_iou:+.3f}", best, str(candidate.terms), str(candidate.lines)]
        style = "bold" if is_best else ""
        told = _fitting(candidate.explanation, rest, f"{style} italic")
        by = " file" if candidate.path else " " + _BY.get(candidate.origin, candidate.origin)
        cells = [Text(mark, style="bold"), *(Text(each, style=style, justify="right") for each in figures), Text(by)]
        return [*cells, told]

    def _draw_steps(self, steps: list[Step]) -> None:
        table = self.query_one("#steps", _Table)
        table.display = bool(steps)
        rest = self._begin_table(table, _STEPS, "")
        for step in steps:
            style = "bold" if step.stage.startswith(KEPT) else "dim" if step.is_dropped else ""
            figures = [
                "" if step.iou is None else f"{step.iou:.3f}",
                f"{step.tokens:,}" if step.tokens else "",
                f"{step.seconds:.1f}",
            ]
            cells = [Text(step.name, style=style), Text(step.stage, style=style)]
            numbers = (Text(each, style=style, justify="right") for each in figures)
            table.add_row(*cells, *numbers, _fitting(step.meaning, rest, "italic dim"))
        table.scroll_end(animate=False)

    def _begin_table(self, table: _Table, columns: dict[str, int], last: str) -> int:
        """An empty table with its columns; the width of the last one."""
        table.clear(columns=True)
        for name, width in columns.items():
            table.add_column(Text(name, justify="right" if name in _FIGURES else "left"), width=width)
        room = max(_LEAST, self.query_one("#write-tables").size.width - sum(columns.values()) - 3)
        table.add_column(f"  {last}", width=room + 2)
        return room

    @on(_Table.Pointed, "#found")
    def _pointed(self, event: _Table.Pointed) -> None:
        event.stop()
        self.move(event.row - self.place)
        if event.is_double:
            self.use()


@dataclass(eq=False)
class _Run:
    """One that goes on."""

    writing: Writing
    subject: Candidate | None
    """What is refined."""


class _DraftingError(ReadheadError):
    """What ended a language model's drafting on the way."""


def _fitting(text: str, room: int, style: str) -> Text:
    """A text in a last column, apart from the one before."""
    shown = Text(text, style=style)
    shown.truncate(room, overflow="ellipsis")
    return Text("  ").append_text(shown)


def _problem(writing: Writing | None) -> Text:
    """What ended the run, and what to do about it."""
    if writing is None or not writing.problem:
        return Text()
    shown = Text(writing.problem, style="bold")
    if writing.cure:
        shown.append(f"\n→ {writing.cure}", style="")
    return shown
