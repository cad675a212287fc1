"""One query's row of weights in words, numbers and colour. No widget here."""

from __future__ import annotations

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


def row_in_text(tokens: Sequence[str], weights: Array, query: int, palette: Palette) -> Text:
    """The text, each token on the colour of its weight; tenths stand behind it, and the query stands in > <."""
    shown = Text()
    for place, token in enumerate(tokens):
        name = "".join(each if each.isprintable() else repr(each)[1:-1] for each in token)
        if place > query:
            shown.append(name, style="dim")
            continue
        weight = float(weights[place])
        if place == query:
            name = f">{name.strip()}<"
        tenths = _TENTHS[min(9, max(1, round(10 * weight)))] if weight >= _WRITTEN else ""
        style = painted(palette.shade(weight)) if palette.has_colour and weight >= _WRITTEN else Style()
        shown.append(name + tenths, style=style + Style(bold=True) if place == query else style)
    return shown
