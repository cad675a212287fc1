"""The map: a cell for each head, layers from top to bottom. Draws only the lines that are seen, however many heads."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from readhead.heads import HeadId
from readhead_tui.colourings import COLOURINGS, Shown, colour
from readhead_tui.filters import Condition, read_filter
from readhead_tui.shades import PALETTES, painted

if TYPE_CHECKING:
    from textual import events

    from readhead_tui.known import Known

_LABEL: Final = 5
"""Columns of `L12 `."""
WIDTHS: Final = (2, 4, 6)
"""Columns of a cell at each zoom."""
_EVERY: Final = 5
"""At the smallest zoom, so many heads have one number above them."""
_DIM: Final = Style(dim=True)
_BOLD: Final = Style(bold=True)
_HERE: Final = Style(color="#000000", bgcolor="#ffffff", bold=True, dim=False)
_HERE_BY_DAY: Final = Style(color="#ffffff", bgcolor="#000000", bold=True, dim=False)
"""The cell under the cursor, on a light ground."""
_HERE_IN_GREY: Final = Style(reverse=True, bold=True)


class HeadMap(ScrollView, can_focus=True, inherit_bindings=False):
    """All heads of a model; one of them is under the cursor."""

    DEFAULT_CSS = """
    HeadMap { height: 1fr; overflow-x: auto; overflow-y: auto; scrollbar-size: 1 1; }
    """

    cursor: reactive[HeadId] = reactive(HeadId(0, 0), init=False, repaint=False)
    """The head that everything else shows."""
    colouring: reactive[str] = reactive("IoU", init=False)
    """One of `COLOURINGS`."""
    zoom: reactive[int] = reactive(2, init=False)
    """Place in `WIDTHS`."""
    palette: reactive[str] = reactive("viridis", init=False)
    """One of `PALETTES`."""

    @dataclass
    class Moved(Message):
        """Another head is under the cursor."""

        head: HeadId

    @dataclass
    class Opened(Message):
        """The head under the cursor was asked for."""

        head: HeadId

    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self, known: Known, *, id: str | None = None) -> None:  # noqa: A002 - as Textual calls it
        super().__init__(id=id)
        self.known = known
        self.selected: set[HeadId] = set()
        self.shown: Condition = read_filter("")
        self._zoom_is_users = False
        self._explanation: list[str] = []

    def explain(self, text: str) -> None:
        """Stand there as long as there are no heads."""
        lines = text.split("\n") if text else []
        if lines != self._explanation:
            self._explanation = lines
            self.refresh()

    # ---- what it shows -----------------------------------------------------------------------------------------------

    def geometry_changed(self) -> None:
        """Another model."""
        self.selected.clear()
        last = HeadId(max(0, self.known.geometry.layers - 1), max(0, self.known.geometry.heads - 1))
        self.cursor = HeadId(min(self.cursor.layer, last.layer), min(self.cursor.index, last.index))
        self._measure()

    @property
    def widest(self) -> int:
        """Columns that it takes at the largest zoom."""
        return _LABEL + self.known.geometry.heads * WIDTHS[-1]

    def redraw(self, heads: Iterable[HeadId] | None = None) -> None:
        """What is known of these heads has changed, or of any."""
        if heads is None:
            self.refresh()
            return
        for layer in {head.layer for head in heads}:
            self._refresh_layer(layer)

    def show_only(self, text: str) -> int:
        """Draw the heads that a filter leaves; how many they are.

        Raises:
            UsageError: for a filter that cannot be read.
        """
        self.shown = read_filter(text)
        self.refresh()
        return sum(self.shown(self.known, head) for head in self.known.geometry.head_ids())

    def _measure(self) -> None:
        geometry = self.known.geometry
        if not self._zoom_is_users:
            room = max(0, self.size.width - _LABEL)
            fitting = [place for place, width in enumerate(WIDTHS) if geometry.heads * width <= room]
            self.set_reactive(HeadMap.zoom, max(fitting, default=0))
        self.virtual_size = Size(_LABEL + geometry.heads * WIDTHS[self.zoom], geometry.layers + 1)
        self._follow()
        self.refresh()

    def on_resize(self) -> None:
        """The zoom follows the room, unless the user has chosen one."""
        self._measure()

    def zoom_by(self, step: int) -> bool:
        """Wider or narrower cells; False at either end."""
        wanted = self.zoom + step
        if not 0 <= wanted < len(WIDTHS):
            return False
        self._zoom_is_users = True
        self.zoom = wanted
        return True

    def watch_zoom(self) -> None:
        """Cells have another width."""
        self._measure()

    def watch_colouring(self) -> None:
        """Every cell changes."""
        self.refresh()

    watch_palette = watch_colouring

    # ---- moving ------------------------------------------------------------------------------------------------------

    def move(self, layers: int, heads: int) -> None:
        """The cursor, as far as there are heads."""
        geometry = self.known.geometry
        layer = min(max(0, self.cursor.layer + layers), max(0, geometry.layers - 1))
        index = min(max(0, self.cursor.index + heads), max(0, geometry.heads - 1))
        self.cursor = HeadId(layer, index)

    def watch_cursor(self, before: HeadId, now: HeadId) -> None:
        """Two lines change."""
        self._follow()
        for line in {before.layer, now.layer}:
            self._refresh_layer(line)
        self.refresh(Region(0, 0, self.size.width, 1))
        self.post_message(self.Moved(now))

    def _refresh_layer(self, layer: int) -> None:
        self.refresh(Region(0, layer + 1 - round(self.scroll_y), self.size.width, 1))

    def _follow(self) -> None:
        """Keep the cursor in sight, with the header line above it."""
        width, room = WIDTHS[self.zoom], self.scrollable_content_region  # without the scrollbars
        rows, columns = max(1, room.height - 1), max(1, room.width - _LABEL)
        top, left = round(self.scroll_y), round(self.scroll_x)
        layer, start = self.cursor.layer, self.cursor.index * width
        top = min(max(top, layer - rows + 1), layer)
        left = min(max(left, start + width - columns), start)
        if (top, left) != (round(self.scroll_y), round(self.scroll_x)):
            self.scroll_to(left, top, animate=False, force=True, immediate=True)

    def on_click(self, event: events.Click) -> None:
        """The head that is clicked; twice opens it, and with a modifier it is selected."""
        head = self._at(event.x, event.y)
        if head is None:
            return
        self.cursor = head
        if event.ctrl or event.shift or event.meta:
            self.select({head} ^ self.selected)
        elif event.chain > 1:
            self.post_message(self.Opened(head))

    def _at(self, x: int, y: int) -> HeadId | None:
        layer = y - 1 + round(self.scroll_y)
        index = (x - _LABEL + round(self.scroll_x)) // WIDTHS[self.zoom]
        is_cell = y >= 1 and x >= _LABEL
        inside = 0 <= layer < self.known.geometry.layers and 0 <= index < self.known.geometry.heads
        return HeadId(layer, index) if is_cell and inside else None

    def select(self, heads: set[HeadId]) -> None:
        """Mark exactly these heads."""
        self.selected = heads
        self.refresh()

    # ---- drawing -----------------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """The header, or a layer; the labels stay in sight."""
        width = self.size.width
        base = self.rich_style
        left = round(self.scroll_x)
        layer = y - 1 + round(self.scroll_y)
        if self._explanation:
            lines = [part for line in self._explanation for part in (textwrap.wrap(line, max(10, width - 4)) or [""])]
            text = f"  {lines[y - 1]}" if 0 < y <= len(lines) else ""
            return Strip([Segment(text, base)]).adjust_cell_length(width, base)
        if y == 0:
            label, cells = Segment("".ljust(_LABEL), base), self._header()
        elif layer < self.known.geometry.layers:
            style = _BOLD if layer == self.cursor.layer else _DIM
            label, cells = Segment(f"L{layer}".rjust(_LABEL - 1) + " ", base + style), self._layer(layer, left, width)
        else:
            return Strip.blank(width, base)
        row = Strip(cells).crop(left, left + max(0, width - _LABEL)) if y == 0 else Strip(cells)
        return Strip([label, *row]).adjust_cell_length(width, base)

    def _header(self) -> list[Segment]:
        base, width = self.rich_style, WIDTHS[self.zoom]
        cells = []
        for index in range(self.known.geometry.heads):
            is_told = width > WIDTHS[0] or index == self.cursor.index or index % _EVERY == 0
            name = (f"H{index}" if width > WIDTHS[0] else str(index)[-width:]) if is_told else ""
            style = _BOLD if index == self.cursor.index else _DIM
            cells.append(Segment(name.rjust(width - (width > WIDTHS[0])).ljust(width), base + style))
        return cells

    def _layer(self, layer: int, left: int, width: int) -> list[Segment]:
        """The cells of a layer from column `left` on."""
        cell, base = WIDTHS[self.zoom], self.rich_style  # which is slow
        first, offset = divmod(left, cell)
        last = min(self.known.geometry.heads, (left + width) // cell + 1)
        cells = [self._cell(HeadId(layer, index), base) for index in range(first, last)]
        if offset and cells:
            cells[0] = Segment(cells[0].text[offset:], cells[0].style)
        return cells

    def _cell(self, head: HeadId, base: Style) -> Segment:
        if not self.shown(self.known, head):
            return self._styled(head, self._text(head, Shown("", "", None), ""), base + _DIM)
        shown = COLOURINGS[self.colouring](self.known, head)
        mark = "◌" if head in self.known.pending else "●" if head in self.known.board else ""
        rgb = colour(shown, PALETTES[self.palette])
        return self._styled(head, self._text(head, shown, mark), base + painted(rgb) if rgb else base)

    def _text(self, head: HeadId, shown: Shown, mark: str) -> str:
        after = "~" if head in self.known.stale else "+" if head in self.selected else " "
        after = "!" if self.known.problem(head) is not None else after
        match self.zoom:
            case 2:
                return f"{mark or ' '}{shown.text:>4}{after}"
            case 1:
                return f"{mark or ' '}{shown.short:>2}{after}"
            case _:
                return f"{shown.short:>2}"

    def _styled(self, head: HeadId, text: str, style: Style) -> Segment:
        if head == self.cursor:
            here = _HERE if self.app.current_theme.dark else _HERE_BY_DAY
            here = here if PALETTES[self.palette].has_colour else _HERE_IN_GREY
            style = style + here if self.has_focus else style + Style(underline=True, bold=True)
        elif head in self.selected:
            style += Style(underline=True)
        if self.zoom == 0 and (head in self.known.board or head in self.known.pending):
            style += Style(bold=True, italic=True)
        return Segment(text, style)
