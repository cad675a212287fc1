"""A matrix as a picture of half blocks: rows look, columns are looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from readhead.patterns import Array
from readhead_tui.shades import PALETTES, RGB, Palette, character, two

if TYPE_CHECKING:
    from textual import events

_BOLD: Final = Style(bold=True)
_DIM: Final = Style(dim=True)
_GUTTER: Final = 1
"""Columns for the mark of the row that looks."""
_TITLE: Final = 1
"""Lines above the picture."""
_ROOMY: Final = 30
"""Columns from which the title says what its numbers are."""
_LARGEST: Final = 4
"""Pixels of one token, on a side."""


@dataclass(frozen=True)
class Scale:
    """How tokens become pixels along one side: `block` tokens in one pixel, or one token in `size` pixels."""

    block: int
    size: int

    @classmethod
    def fitting(cls, tokens: int, pixels: int) -> Scale:
        """The largest that fits."""
        block = max(1, math.ceil(tokens / max(1, pixels)))
        return cls(block, max(1, min(_LARGEST, pixels // max(1, tokens))))

    def pixel(self, token: int) -> int:
        """The first of a token."""
        return token // self.block * self.size

    def token(self, pixel: int) -> int:
        """The first in a pixel."""
        return pixel // self.size * self.block

    def starts(self, tokens: int) -> list[int]:
        """The first token of each pixel, without those that only repeat one."""
        return list(range(0, tokens, self.block))


def rasterize(matrix: Array, rows: Scale, columns: Scale) -> Array:
    """`[pixels, pixels]`: of each block of tokens the value farthest from zero; NaN where no key can be seen."""
    tokens = len(matrix)
    largest = np.where(np.tri(tokens, dtype=bool), matrix, -np.inf)
    least = np.where(np.tri(tokens, dtype=bool), matrix, np.inf)
    for scale, axis in ((rows, 0), (columns, 1)):
        largest = np.maximum.reduceat(largest, scale.starts(tokens), axis)
        least = np.minimum.reduceat(least, scale.starts(tokens), axis)
    drawn = np.where(np.abs(largest) >= np.abs(least), largest, least)
    drawn[~np.isfinite(drawn)] = np.nan
    repeated: Array = np.repeat(np.repeat(drawn, rows.size, 0), columns.size, 1)
    return repeated


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
        self._rows = self._columns = Scale(1, 1)

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
            tokens = len(self.matrix)
            self._rows = Scale.fitting(tokens, (self.size.height - _TITLE) * self._rows_per_line)
            self._columns = Scale.fitting(tokens, self.size.width - _GUTTER)
            if self._rows.size != self._columns.size:  # a token is a square as long as there is room
                size = min(self._rows.size, self._columns.size)
                self._rows, self._columns = replace(self._rows, size=size), replace(self._columns, size=size)
            self._pixels = rasterize(self.matrix, self._rows, self._columns)
        self.refresh()

    @property
    def _rows_per_line(self) -> int:
        return 2 if self.palette.has_colour else 1

    def on_click(self, event: events.Click) -> None:
        """Point at a pair of tokens."""
        if self.matrix is None or event.y < _TITLE:
            return
        last = len(self.matrix) - 1
        query = self._rows.token((event.y - _TITLE) * self._rows_per_line)
        self.post_message(self.Pointed(min(query, last), min(self._columns.token(max(0, event.x - _GUTTER)), last)))

    def render_line(self, y: int) -> Strip:
        """The title, then the picture."""
        width, base = self.size.width, self.rich_style
        if y < _TITLE:
            down, across = self._rows.block, self._columns.block
            several = self.matrix is not None and (down, across) != (1, 1)
            unit = " to a cell" if self.size.width > _ROOMY else ""
            title = f"{self.title}  {down}×{across}{unit}" if several else self.title
            return Strip([Segment(title[:width], base + _BOLD)]).adjust_cell_length(width, base)
        if self.matrix is None:
            text = self.note[:width] if y == _TITLE else ""
            return Strip([Segment(text, base + _DIM)]).adjust_cell_length(width, base)
        row = (y - _TITLE) * self._rows_per_line
        mark = self._rows.pixel(self.row) // self._rows_per_line * self._rows_per_line == row
        cells = [Segment("▸" if mark else " ", base + _BOLD), *self._row(row, base)]
        return Strip(cells).adjust_cell_length(width, base)

    def _row(self, row: int, base: Style) -> list[Segment]:
        if row >= len(self._pixels):
            return []
        upper = self._pixels[row].tolist()
        lower = self._pixels[row + 1].tolist() if row + 1 < len(self._pixels) else [math.nan] * len(upper)
        if not self.palette.has_colour:
            return [Segment("".join(self._character(value) for value in upper), base)]
        ground = self.background_colors[1].rgb
        return [
            Segment("▀", two(self._colour(a, ground), self._colour(b, ground)))
            for a, b in zip(upper, lower, strict=True)
        ]

    def _colour(self, value: float, ground: RGB) -> RGB:
        """Of a pixel: weights by their square root, so that small ones can be seen."""
        if math.isnan(value):
            return ground
        return self.palette.shade(math.copysign(math.sqrt(abs(value)), value), signed=self.signed)

    def _character(self, value: float) -> str:
        return " " if math.isnan(value) else character(math.copysign(math.sqrt(abs(value)), value), signed=self.signed)
