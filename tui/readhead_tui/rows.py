"""One query's row of weights in words, numbers and colour. No widget here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from rich.style import Style
from rich.text import Text

from readhead.patterns import Array
from readhead.scoring import iou
from readhead.strips import quoted, targets
from readhead_tui.shades import Palette, painted

_TENTHS: Final = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_WRITTEN: Final = 0.05
"""Weights below this carry no number."""


def row_in_words(tokens: Sequence[str], query: int, pattern: Array, prediction: Array | None) -> Text:
    """Where the head and the program look from a query, in two lines."""
    lines = Text()
    lines.append(f"{query} {quoted(tokens[query])} looks at", style="bold")
    if prediction is not None:
        lines.append(f"   IoU of this row {iou(pattern[query], prediction[query]):.2f}", style="dim")
    for name, matrix in (("head", pattern), ("program", prediction)):
        if matrix is not None:
            lines.append(f"\n{name:>8}: ", style="dim")
            lines.append(targets(tokens, matrix[query], query) or "nothing much")
    return lines


def row_in_text(tokens: Sequence[str], weights: Array, query: int, palette: Palette, *, room: int = 0) -> Text:
    """The text, each token on the colour of its weight; tenths stand behind it, and the query stands in > <.

    Args:
        tokens: of the text.
        weights: `[n]`, the query's row.
        query: the position that looks.
        palette: for the colours.
        room: columns of the one line that there is, which ends soon after the query; 0 for the whole text.
    """
    pieces = [_piece(token, place, float(weights[place]), query, palette) for place, token in enumerate(tokens)]
    first, last = (0, len(pieces)) if room <= 0 else _window(pieces, query, room)
    shown = Text("…" if first else "", no_wrap=room > 0)
    for piece in pieces[first:last]:
        shown.append_text(piece)
    return shown


def _piece(token: str, place: int, weight: float, query: int, palette: Palette) -> Text:
    name = "".join(each if each.isprintable() else repr(each)[1:-1] for each in token)
    if place > query:
        return Text(name, style="dim")
    if place == query:
        name = f">{name.strip()}<"
    tenths = _TENTHS[min(9, max(1, round(10 * weight)))] if weight >= _WRITTEN else ""
    style = painted(palette.shade(math.sqrt(weight))) if palette.has_colour and weight >= _WRITTEN else Style()
    return Text(name + tenths, style=style + Style(bold=True) if place == query else style)


def _window(pieces: Sequence[Text], query: int, room: int) -> tuple[int, int]:
    """First and last token (exclusive) of a line: a fifth of it after the query, the rest before."""
    last, left = query + 1, room // 5
    while last < len(pieces) and pieces[last].cell_len <= left:
        left -= pieces[last].cell_len
        last += 1
    first, left = query + 1, room - 1 - sum(piece.cell_len for piece in pieces[query + 1 : last])
    while first > 0 and pieces[first - 1].cell_len <= left:
        first -= 1
        left -= pieces[first].cell_len
    return first, last
