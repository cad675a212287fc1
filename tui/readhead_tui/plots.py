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
    cells = [" "] * width
    cells[_place(0.0, scale, width)] = "│"
    if low is not None and high is not None:
        left, right = _place(low, scale, width), _place(high, scale, width)
        for column in range(left, right + 1):
            cells[column] = "─"
        cells[left], cells[right] = "├", "┤"
    cells[_place(value, scale, width)] = dot
    return "".join(cells)


def beside(line: str, value: float | None, scale: tuple[float, float]) -> str:
    """A whisker's line, one column longer, with another figure's mark: `◇`, or `»` behind the end for one beyond it.

    Where the whisker has its dot, the dot stays.
    """
    if value is None or value > scale[1]:
        return line + ("»" if value is not None else " ")
    column = _place(value, scale, len(line))
    return (line if line[column] in "●○" else f"{line[:column]}◇{line[column + 1 :]}") + " "


def axis(scale: tuple[float, float], width: int) -> str:
    """The ends of a scale in percent, above the whiskers."""
    least, most = (f"{end + 0.0:+.1f} %" for end in scale)
    return f"{least}{most.rjust(max(len(most) + 1, width - len(least)))}"


def _place(of: float, scale: tuple[float, float], width: int) -> int:
    least, most = scale
    share = (of - least) / (most - least) if most > least else 0.0
    return min(width - 1, max(0, round(share * (width - 1))))
