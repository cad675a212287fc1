"""A figure with its interval as a line of text: `──├──●──┤`, zero at `│`. No widget here."""

from __future__ import annotations

from collections.abc import Iterable


def span(values: Iterable[float | None]) -> tuple[float, float]:
    """The least and the largest of some figures and of zero."""
    known = [0.0, *(value for value in values if value is not None)]
    return min(known), max(known)


def whisker(
    value: float, low: float | None, high: float | None, scale: tuple[float, float], width: int, *, dot: str = "●"
) -> str:
    """A line of `width` columns for `scale`; without an interval only the dot is drawn."""
    least, most = scale
    cells = [" "] * width

    def place(of: float) -> int:
        share = (of - least) / (most - least) if most > least else 0.0
        return min(width - 1, max(0, round(share * (width - 1))))

    cells[place(0.0)] = "│"
    if low is not None and high is not None:
        for column in range(place(low), place(high) + 1):
            cells[column] = "─"
        cells[place(low)], cells[place(high)] = "├", "┤"
    cells[place(value)] = dot
    return "".join(cells)
