"""Replacement curves in words and figures: the rows of the table, and the lines around it. No widget here."""

from __future__ import annotations

from typing import Final

from rich.text import Text

from readhead.heads import HeadId
from readhead_tui import figures
from readhead_tui.curves import CONTROL, MEANINGS, PART, Curves, Point
from readhead_tui.known import counted
from readhead_tui.plots import beside, whisker

COLUMNS: Final = ("Heads", "Perplexity", "Change", "95 %", CONTROL.capitalize())
"""Before the plot."""
LEGEND: Final = f"├─●─┤ programs, 95 %   ◇ {CONTROL} on the same heads instead (» beyond)   │ zero"


def row(curves: Curves, fraction: float, count: int, point: Point | None) -> list[Text]:
    """A row's cells, `COLUMNS` of them."""
    size = f" ({count})" if curves.known.geometry.size else ""
    share = f"{fraction:4.0%}{size}"
    if point is None:
        return [Text(f"  {share}"), *(Text("·", style="dim", justify="right") for _ in COLUMNS[1:])]
    stale = curves.is_stale(point)
    mark = "~ " if stale else "▶ " if curves.known.is_best_on(point.heads) else "  "
    style = "dim italic" if stale else ""
    within = "preliminary" if point.low is None or point.high is None else figures.bounds(point.low, point.high)
    return [
        Text(f"{mark}{share}", style=style),
        Text(figures.perplexity(point.perplexity), style=style, justify="right"),
        Text(figures.percent(point.increase_percent), style=style or "bold", justify="right"),
        Text(within, style=style, justify="right"),
        Text("·" if point.control is None else figures.percent(point.control), style=style, justify="right"),
    ]


def plot(curves: Curves, point: Point | None, scale: tuple[float, float], width: int) -> Text:
    """A row's whisker with the control's mark: `width` columns and one more."""
    if point is None:
        return Text("")
    dot = "○" if point.low is None else "●"
    line = whisker(point.increase_percent, point.low, point.high, scale, width, dot=dot)
    return Text(beside(line, point.control, scale), style="dim" if curves.is_stale(point) else "")


def facts(curves: Curves, order: str) -> Text:
    """What the table shows: order, progress, whether it is stale, and what it depends on."""
    points = [point for _, _, point in curves.rows(order) if point]
    told = Text.assemble((f"Order {order}", "bold"))
    told.append(f" ({MEANINGS[order]}), measured on {PART}")
    stale = sum(map(curves.is_stale, points))
    if stale:
        which = "" if stale == len(points) else f" ({counted(stale, 'row')})"
        told.append(f"\n~ stale{which}: programs, model or texts are others now; m measures anew", style="bold italic")
    told.append("\n").append_text(_state(curves, order, points))
    left = curves.left_neural.get(order)
    if left:
        reasons = "; ".join(f"{head}: {reason}" for head, reason in list(left.items())[:2])
        told.append(
            f"\n{counted(len(left), 'head')} {'stays' if len(left) == 1 else 'stay'} neural: {reasons}", style="italic"
        )
    if points:
        newest = max(points, key=lambda point: point.stamp.edition)
        told.append(f"\n{newest.stamp.words(order)}", style="dim")
    return told


def _state(curves: Curves, order: str, points: list[Point]) -> Text:
    rows = len(curves.rows(order))
    if curves.measuring:
        done = f"{curves.measured} of {rows} rows" if curves.measured else curves.progress
        return Text(f"measuring {curves.measuring}: {done or 'begins'} … esc stops", style="bold")
    if not points:
        return Text.assemble(
            "not measured yet: ", ("m", "bold"), " measures it, ", ("o", "bold"), " takes another order"
        )
    told = Text(f"neural {figures.perplexity(points[0].neural_perplexity)}")
    if len(points) < rows:
        told.append(f"  ·  {'stopped' if curves.stopped else 'ended'} after {len(points)} of {rows} rows: m goes on")
    return told


def heads(point: Point | None, room: int) -> Text:
    """The row under the cursor: its heads, as many as go into `room` columns, and the control on them."""
    if point is None:
        return Text("")
    told = Text.assemble((f"{point.fraction:.0%}: ", "bold"))
    told.append(named(point.heads, room))
    if point.control_perplexity is not None:
        perplexity = figures.perplexity(point.control_perplexity)
        told.append(f"\n{CONTROL} on them instead: perplexity {perplexity}", style="dim")
    return told


def plan(curves: Curves, room: int) -> Text:
    """The plan: how many heads, what they cost, which they are, as many as go into `room` columns."""
    made = curves.plan
    if curves.planning:
        return Text(f"planning for {curves.planning}: {curves.progress or 'begins'} … esc stops", style="bold")
    if made is None:
        return Text.assemble(("b", "bold"), " finds the most heads for a budget of perplexity")
    stale = curves.is_stale(made)
    cost = f"{counted(len(made.heads), 'head')}, {figures.percent(made.increase_percent)} on dev"
    told = Text.assemble(("~ stale: " if stale else "", "bold italic"), (f"Plan for {made.budget:g} %: {cost}", "bold"))
    told.append(f", order {made.order}")
    if curves.known.is_best_on(made.heads):
        told.append("  ▶ in program mode now")
    else:
        told.append("  (b plans anew)" if stale else "  (a applies it)")
    return told.append(f"\n{named(made.heads, room)}", style="dim" if stale else "")


def named(listed: tuple[HeadId, ...], most: int) -> str:
    """Names in their order, as many as go into `most` columns, and how many more there are."""
    names = list(map(str, listed))
    while len(names) > 1 and len(" ".join(names)) > most:
        names.pop()
    rest = len(listed) - len(names)
    return " ".join(names) + (f" … and {rest} more" if rest else "")
