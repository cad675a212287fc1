"""A matrix as a picture of half blocks: rows look, columns are looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from readhead.patterns import Array
from readhead_tui.shades import PALETTES, Palette, character, two

if TYPE_CHECKING:
    from textual import events

_BOLD: Final = Style(bold=True)
_DIM: Final = Style(dim=True)
_GUTTER: Final = 1
"""Columns for the mark of the row that looks."""
_TITLE: Final = 1
"""Lines above the picture."""
_LARGEST: Final = 4
"""Pixels of one token, on a side."""


@dataclass(frozen=True)
class _Raster:
    """How tokens become pixels: `block` tokens in one pixel, or one token in `size` pixels."""

    block: int
    size: int

    @classmethod
    def fitting(cls, tokens: int, columns: int, rows: int) -> _Raster:
        block = max(1, math.ceil(tokens / max(1, columns)), math.ceil(tokens / max(1, rows)))
        size = min(_LARGEST, columns // max(1, tokens), rows // max(1, tokens)) if block == 1 else 1
        return cls(block, max(1, size))

    def draw(self, matrix: Array) -> Array:
        """Of each block the value that is farthest from zero."""
        if self.size > 1:
            return np.repeat(np.repeat(matrix, self.size, 0), self.size, 1)
        if self.block == 1:
            return matrix
        side = math.ceil(len(matrix) / self.block)
        padded = np.zeros((side * self.block, side * self.block), matrix.dtype)
        padded[: len(matrix), : len(matrix)] = matrix
        blocks = padded.reshape(side, self.block, side, self.block).swapaxes(1, 2).reshape(side, side, -1)
        strongest = np.abs(blocks).argmax(-1)[..., None]
        return np.take_along_axis(blocks, strongest, -1)[..., 0]

    def pixel(self, token: int) -> int:
        return token // self.block * self.size

    def token(self, pixel: int) -> int:
        return pixel // self.size * self.block


class HeatMap(Widget, can_focus=False):
    """One matrix, with a mark at the row that is told in words."""

    DEFAULT_CSS = """
    HeatMap { width: 1fr; height: 1fr; min-width: 10; }
    """
    ALLOW_SELECT: ClassVar[bool] = False

    @dataclass
    class Pointed(Message):
        """A cell was clicked."""

        query: int
        key: int

    def __init__(self, title: str, *, signed: bool = False, id: str | None = None) -> None:  # noqa: A002 - as Textual
        super().__init__(id=id)
        self.title = title
        self.signed = signed
        self.row = 0
        self.matrix: Array | None = None
        self.note = "waiting for the engine"
        self.palette: Palette = PALETTES["viridis"]
        self._pixels: Array = np.zeros((0, 0), np.float32)
        self._raster = _Raster(1, 1)

    def show(self, matrix: Array | None, note: str = "") -> None:
        """Draw `[n, n]` from 0 to 1 (signed: from -1 to 1), or say why there is none."""
        self.matrix, self.note = matrix, note
        self._rasterize()

    def point(self, query: int) -> None:
        """Mark the row of a query."""
        self.row = query
        self.refresh()

    def paint(self, palette: Palette) -> None:
        """Draw with other colours."""
        self.palette = palette
        self._rasterize()

    def on_resize(self) -> None:
        """Pixels follow the room."""
        self._rasterize()

    def _rasterize(self) -> None:
        if self.matrix is not None:
            rows = (self.size.height - _TITLE) * self._rows_per_line
            self._raster = _Raster.fitting(len(self.matrix), self.size.width - _GUTTER, rows)
            self._pixels = self._raster.draw(self.matrix)
        self.refresh()

    @property
    def _rows_per_line(self) -> int:
        return 2 if self.palette.has_colour else 1

    def on_click(self, event: events.Click) -> None:
        """Point at a pair of tokens."""
        if self.matrix is None or event.y < _TITLE:
            return
        last = len(self.matrix) - 1
        query = self._raster.token((event.y - _TITLE) * self._rows_per_line)
        self.post_message(self.Pointed(min(query, last), min(self._raster.token(max(0, event.x - _GUTTER)), last)))

    def render_line(self, y: int) -> Strip:
        """The title, then the picture."""
        width, base = self.size.width, self.rich_style
        if y < _TITLE:
            block = self._raster.block
            title = self.title if self.matrix is None or block == 1 else f"{self.title}  {block}×{block} to a cell"
            return Strip([Segment(title[:width], base + _BOLD)]).adjust_cell_length(width, base)
        if self.matrix is None:
            text = self.note[:width] if y == _TITLE else ""
            return Strip([Segment(text, base + _DIM)]).adjust_cell_length(width, base)
        row = (y - _TITLE) * self._rows_per_line
        mark = self._raster.pixel(self.row) // self._rows_per_line * self._rows_per_line == row
        cells = [Segment("▸" if mark else " ", base + _BOLD), *self._row(row, base)]
        return Strip(cells).adjust_cell_length(width, base)

    def _row(self, row: int, base: Style) -> list[Segment]:
        if row >= len(self._pixels):
            return []
        upper = self._pixels[row]
        if not self.palette.has_colour:
            return [Segment("".join(character(value, signed=self.signed) for value in upper.tolist()), base)]
        shade = self.palette.shade
        lower = self._pixels[row + 1] if row + 1 < len(self._pixels) else None
        top = [shade(value, signed=self.signed) for value in upper.tolist()]
        if lower is None:
            return [Segment("▀", base + Style(color=two(colour, colour).color)) for colour in top]
        bottom = [shade(value, signed=self.signed) for value in lower.tolist()]
        return [Segment("▀", two(a, b)) for a, b in zip(top, bottom, strict=True)]
