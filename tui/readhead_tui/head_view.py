"""One head: its pattern beside its program's prediction on a text, a row in words, the program and the other ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from rich.text import Text
from textual import on
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.highlight import highlight
from textual.message import Message
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from readhead.engine.client import EngineError
from readhead.heads import HeadId
from readhead.scoring import iou
from readhead_tui.heat_map import HeatMap
from readhead_tui.known import Candidate, Known
from readhead_tui.rows import row_in_text, row_in_words
from readhead_tui.shades import PALETTES, Palette

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.content import Content

    from readhead.patterns import Array
    from readhead_tui.link import Link

LAYOUTS: Final = ("maps", "program", "pattern", "prediction", "difference")
"""What a narrow view shows: all three pictures, the program, or one picture alone."""
_NAME: Final = 10
"""Columns of `program: `."""
_SHORT: Final = 24
"""Lines below which a row is shown in one line of text."""
_TALL: Final = 34
"""Lines from which the three pictures are two above and one below, the row beside it."""
_WIDE: Final = 110
"""Columns from which pictures and program stand side by side."""


@dataclass
class _Text:
    """A text with the head's pattern on it."""

    tokens: list[str]
    pattern: Array
    prediction: Array | None
    place: str
    """Which text it is, in words."""


class HeadView(Vertical):
    """Shows the head that `show` names."""

    DEFAULT_CSS = """
    HeadView #head-facts { height: 2; text-wrap: nowrap; text-overflow: ellipsis; }
    HeadView #head-maps { width: 1fr; layout: grid; grid-size: 3; grid-rows: 1fr 9; }
    HeadView #head-row { height: 1fr; column-span: 3; }
    HeadView #head-program { width: 1fr; display: none; }
    HeadView #candidates { height: auto; max-height: 8; border: none; padding: 0; }
    HeadView #source { width: auto; }
    HeadView.-program #head-maps { display: none; }
    HeadView.-program #head-program { display: block; }
    HeadView.-wide #head-maps { display: block; width: 3fr; }
    HeadView.-wide #head-program { display: block; width: 2fr; padding-left: 1; }
    HeadView.-tall #head-maps { grid-size: 2; grid-rows: 1fr 1fr; grid-gutter: 1 1; }
    HeadView.-tall #head-row { height: 1fr; column-span: 1; padding: 1 0 0 2; }
    HeadView.-one #head-maps { grid-size: 1; grid-rows: 1fr 9; }
    HeadView.-one #head-row { column-span: 1; padding: 0; }
    HeadView.-short #head-maps { grid-rows: 1fr 5; }
    HeadView.-short #candidates { max-height: 4; }
    """
    ALLOW_SELECT: ClassVar[bool] = False

    @dataclass
    class Chosen(Message):
        """The user prefers a program for a head."""

        head: HeadId
        candidate: Candidate

    def __init__(self, known: Known, link: Link, *, id: str | None = None) -> None:  # noqa: A002 - as Textual calls it
        super().__init__(id=id)
        self.known = known
        self.link = link
        self.head = HeadId(0, 0)
        self.candidates: list[Candidate] = []
        self.place = 0
        """Of the shown one among them."""
        self.layout_shown: str = LAYOUTS[0]
        self.own_text = ""
        self.text_number = 0
        self.worst: list[dict[str, Any]] | None = None
        """The texts, worst first, while the user goes through those."""
        self.row = 1
        self.palette: Palette = PALETTES["viridis"]
        self._text: _Text | None = None
        self._texts = 0
        self._is_stale = True
        self._is_listed = False
        """Whether the candidates are those of the head, as the engine ranks them now."""

    def compose(self) -> ComposeResult:
        """Facts; pictures and a row; candidates and the program."""
        yield Static(id="head-facts")
        with Horizontal():
            with Vertical(id="head-maps"):
                yield HeatMap("head", id="pattern")
                yield HeatMap("program", id="prediction")
                yield HeatMap("program − head", signed=True, id="difference")
                yield Static(id="head-row")
            with Vertical(id="head-program"):
                yield OptionList(id="candidates")
                with VerticalScroll(id="source-scroll"):
                    yield Static(id="source")

    # ---- what is shown -----------------------------------------------------------------------------------------------

    @property
    def candidate(self) -> Candidate | None:
        """The program that is shown."""
        return self.candidates[self.place] if self.place < len(self.candidates) else None

    @property
    def tokens(self) -> int:
        """Of the text that is shown."""
        return len(self._text.tokens) if self._text else 0

    def show(self, head: HeadId) -> None:
        """Another head."""
        if head != self.head:
            self.head, self.worst = head, None
            self.candidates, self.place = [], 0
            self._redraw()
        self.load()

    def forget(self) -> None:
        """Another model, or other texts."""
        self.candidates, self.place, self.worst, self.text_number = [], 0, None, 0
        self._text, self._texts = None, 0
        self._redraw()

    def load(self) -> None:
        """Ask the engine anew; what is shown stays until it answers."""
        self._is_listed = False
        self._ask()

    def _ask(self) -> None:
        """Have the text drawn anew; the programs as well where their list is still on its way."""
        self._is_stale = True
        self.redraw_facts()
        self.link.begin(partial(self._load_missing, self.head), "head")

    async def _load_missing(self, head: HeadId) -> None:
        await (self._load_text(head) if self._is_listed else self._load(head))

    def choose(self, place: int) -> None:
        """Show another candidate."""
        if 0 <= place < len(self.candidates) and place != self.place:
            self.place, self.worst = place, None
            self.known.chosen[self.head] = self.candidates[place]
            self.post_message(self.Chosen(self.head, self.candidates[place]))
            self._ask()
            self._redraw()

    def offer(self, candidates: list[Candidate]) -> None:
        """Programs that were just written for the head."""
        known = {candidate.source for candidate in self.candidates}
        self.candidates += [candidate for candidate in candidates if candidate.source not in known]
        self._redraw()

    async def _load(self, head: HeadId) -> None:
        rows = await self.link.call("candidates", head=str(head))
        wanted = self.known.chosen.get(head)
        self.candidates = [Candidate.read(row) for row in rows]
        self.place = self._place_of(wanted)
        self._is_listed = True
        self.redraw_facts()  # the pictures take longer
        self._redraw_program()
        await self._load_text(head)

    def _place_of(self, wanted: Candidate | None) -> int:
        """Of the candidate that the user prefers, by its text, or its file where that was changed."""
        if wanted is None:
            return self._best_of(self.head, self.candidates)
        sources = [candidate.source for candidate in self.candidates]
        paths = [candidate.path for candidate in self.candidates]
        if wanted.source in sources:
            place = sources.index(wanted.source)
        elif wanted.path and wanted.path in paths:
            place = paths.index(wanted.path)
            if wanted.iou is None:  # the newer text: the engine has not ranked it yet
                self.candidates[place] = wanted
        else:
            place = len(self.candidates)
            self.candidates.append(wanted)
        self.known.chosen[self.head] = self.candidates[place]
        return place

    async def candidate_of(self, head: HeadId) -> Candidate | None:
        """The program that is shown for a head, or would be if the head were."""
        if head in self.known.chosen:
            return self.known.chosen[head]
        if head == self.head and self.candidate is not None:
            return self.candidate
        rows = [Candidate.read(row) for row in await self.link.call("candidates", head=str(head))]
        return rows[self._best_of(head, rows)] if rows else None

    def _best_of(self, head: HeadId, candidates: list[Candidate]) -> int:
        """The place of the program that the head's card names and a flip takes; else of the closest."""
        path = self.known.card(head).path
        return next((place for place, each in enumerate(candidates) if path and each.path == path), 0)

    async def _load_text(self, head: HeadId) -> None:
        given: dict[str, Any] = {"head": str(head)}
        if self.candidate is not None:
            given |= {"source": self.candidate.source, "name": self.candidate.name}
        if self.own_text:
            given["text"] = self.own_text
        else:
            given["sequence"] = self.text_number
        try:
            found = await self.link.call("pattern", **given)
        except EngineError:
            self.own_text = ""  # whatever is wrong with it, other heads are to be seen
            raise
        prediction = found["prediction"]
        self._texts = int(found.get("of") or self._texts)
        self._text = _Text(
            found["tokens"],
            np.array(found["pattern"], np.float32),
            None if prediction is None else np.array(prediction, np.float32),
            "own text" if self.own_text else self._place_in_words(),
        )
        self.row = min(max(self.row, 0), len(self._text.tokens) - 1)
        self._is_stale = False
        self._redraw()

    def _place_in_words(self) -> str:
        told = f"dev text {self.text_number + 1} of {self._texts}"
        if self.worst is not None:
            rank = next((k for k, row in enumerate(self.worst, 1) if row["sequence"] == self.text_number), 0)
            told += f", {'the worst' if rank == 1 else f'{rank}. worst'}"
        return told

    # ---- texts -------------------------------------------------------------------------------------------------------

    def step_text(self, step: int) -> None:
        """The next text, in order or by how badly the program does."""
        if self.own_text:
            self.own_text = ""
        elif self.worst:
            order = [row["sequence"] for row in self.worst]
            self.text_number = order[(order.index(self.text_number) + step) % len(order)]
        elif self._texts:
            self.text_number = (self.text_number + step) % self._texts
        self._ask()

    def show_worst(self) -> None:
        """Go through the texts from the worst to the best, or in their order again."""
        if self.worst is not None:
            self.worst = None
            self._ask()
        elif self.candidate is not None:
            self.link.begin(partial(self._load_worst, self.head, self.candidate), "head")

    async def _load_worst(self, head: HeadId, candidate: Candidate) -> None:
        self.own_text = ""
        rows = await self.link.call("worst_texts", head=str(head), source=candidate.source, name=candidate.name)
        self.worst = rows
        self.text_number = rows[0]["sequence"]
        await self._load_missing(head)

    def show_text(self, text: str) -> None:
        """The user's own text; an empty one goes back to the corpus."""
        self.own_text, self.worst = text.strip(), None
        self._ask()

    def move(self, step: int) -> None:
        """To another query; where only the program is seen, to other lines of it."""
        if self.layout_shown == "program" and not self.has_class("-wide"):
            self.query_one("#source-scroll", VerticalScroll).scroll_relative(y=step, animate=False)
        elif self._text is not None:
            self.point(min(max(0, self.row + step), len(self._text.tokens) - 1))

    def point(self, query: int) -> None:
        """Tell the row of this query."""
        self.row = query
        for heat in self._maps:
            heat.point(query)
        self._redraw_row()

    # ---- drawing -----------------------------------------------------------------------------------------------------

    @property
    def _maps(self) -> list[HeatMap]:
        """Pattern, prediction and difference."""
        return list(self.query(HeatMap))

    def paint(self, palette: Palette) -> None:
        """Draw with other colours."""
        self.palette = palette
        for heat in self._maps:
            heat.paint(palette)
        self._redraw_row()

    def show_layout(self, layout: str) -> None:
        """One of `LAYOUTS`."""
        self.layout_shown = layout
        self.set_class(layout == "program", "-program")
        one = layout in {"pattern", "prediction", "difference"}
        self.set_class(one, "-one")
        for heat in self._maps:
            heat.display = not one or heat.id == layout

    def on_resize(self) -> None:
        """Side by side where there is room."""
        self.set_class(self.size.width >= _WIDE, "-wide")
        self.set_class(self.size.height < _SHORT, "-short")
        self.set_class(self.size.height >= _TALL, "-tall")
        self.call_after_refresh(self._redraw_row)

    def redraw_facts(self) -> None:
        """What is known of the heads has changed."""
        if self.is_mounted:
            self.query_one("#head-facts", Static).update(self._facts())

    def _redraw(self) -> None:
        self.redraw_facts()
        text, waiting = self._text, "waiting for the engine"
        pattern, prediction, difference = self._maps
        if text is not None:
            pattern.show(text.pattern)
            none = "the program gives nothing on this text" if self.candidate else "no program"
            prediction.show(text.prediction, none)
            difference.show(None if text.prediction is None else text.prediction - text.pattern, none)
        else:
            for heat in (pattern, prediction, difference):
                heat.show(None, waiting)
        for heat in (pattern, prediction, difference):
            heat.point(self.row)
        self._redraw_row()
        self._redraw_program()

    def _redraw_row(self) -> None:
        shown = self.query_one("#head-row", Static)
        text = self._text
        if text is None:
            shown.update("")
            return
        lines = row_in_words(text.tokens, self.row, text.pattern, text.prediction)
        room = shown.size.width - _NAME if self.has_class("-short") else 0
        for name, matrix in (("head", text.pattern), ("program", text.prediction)):
            if matrix is not None:
                lines.append(f"\n{name:>8}: ", style="dim")
                lines.append_text(row_in_text(text.tokens, matrix[self.row], self.row, self.palette, room=room))
        shown.update(lines)

    def _facts(self) -> Text:
        card, candidate = self.known.card(self.head), self.candidate
        facts = Text()
        mode = self.known.mode(self.head)
        facts.append(f" {self.head} ", style="bold reverse")
        facts.append(f" {'● program' if mode == 'program' else 'neural'}  ", style="bold" if mode == "program" else "")
        if candidate is None:
            facts.append("no program yet" if self.known.ranked else "programs are being ranked", style="dim")
        else:
            facts.append(candidate.name, style="bold")
            facts.append(f" ({candidate.origin})  " if candidate.origin else "  ", style="dim")
            if candidate.iou is not None:
                facts.append(f"IoU {candidate.iou:.3f}", style="bold")
                lift = candidate.iou - card.trivial_iou
                facts.append(f"  floor {card.trivial_iou:.3f} {card.trivial}  lift {lift:+.3f}")
            elif self.known.problem(self.head) is None:
                facts.append("not scored yet", style="italic")
        if card.inactive:
            facts.append("  inactive: it looks at the first token only", style="italic")
        if self.head in self.known.board and candidate and self.known.board[self.head] != candidate.source:
            facts.append("  in the model: another text than this one", style="italic")
        return facts.append("\n ").append_text(self._facts_of_text())

    def _facts_of_text(self) -> Text:
        """Of the program's file and of the text; in the second line."""
        facts, candidate = Text(), self.candidate
        problem = self.known.problem(self.head)
        if problem is not None:
            facts.append(f"! {problem.told}  ", style="bold")
        if self.head in self.known.stale:
            facts.append("~ the file has changed  ", style="italic")
        if self._text is not None:
            shown = self._text.place
            if self._text.prediction is not None:
                shown += f": IoU {iou(self._text.prediction, self._text.pattern):.3f}"
            facts.append(shown + ("  (stale)" if self._is_stale else "") + "  ")
        if candidate and candidate.explanation:
            facts.append(candidate.explanation, style="italic dim")
        return facts

    def _redraw_program(self) -> None:
        listed = self.query_one("#candidates", OptionList)
        listed.clear_options()
        listed.add_options([Option(_row(candidate)) for candidate in self.candidates])
        if self.candidates:
            listed.highlighted = self.place
        source = self.query_one("#source", Static)
        if self.candidate is None:
            source.update("")
            return
        source.update(highlighted(self.candidate.source))

    @on(OptionList.OptionHighlighted, "#candidates")
    def _highlight(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        if self.query_one("#candidates", OptionList).has_focus:
            self.choose(event.option_index)

    @on(HeatMap.Pointed)
    def _pointed(self, event: HeatMap.Pointed) -> None:
        event.stop()
        self.point(event.query)


def _row(candidate: Candidate) -> Text:
    row = Text(no_wrap=True, overflow="ellipsis")
    row.append(" ·  " if candidate.iou is None else f"{candidate.iou:.2f}", style="bold")
    row.append(f"  {candidate.name}")
    place = candidate.origin or (Path(candidate.path).parent.name if candidate.path else "")
    row.append(f"  {place}, {candidate.terms} terms", style="dim")
    return row


def highlighted(source: str) -> Content:
    """A program's text in colours, without its metadata block and imports: what there is of those is told above."""
    lines: list[str] = []
    in_block = False
    for line in source.splitlines():
        in_block = in_block or line.startswith("# /// ")
        if not in_block and not line.startswith(("from readhead", "import ")) and (line.strip() or any(lines[-1:])):
            lines.append(line)
        in_block = in_block and line.strip() != "# ///"
    return highlight("\n".join(lines), language="python")
