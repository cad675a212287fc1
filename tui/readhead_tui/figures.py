"""Figures in words: the perplexity of a switchboard. No widget here."""

from __future__ import annotations

from readhead.engine import Impacted
from readhead_tui.known import counted

_BIG = 1000


def percent(value: float) -> str:
    """`+5.0 %`."""
    return f"{value:+.0f} %" if abs(value) >= _BIG else f"{round(value, 1) + 0.0:+.1f} %"


def perplexity(value: float) -> str:
    """With digits that mean something."""
    return f"{value:.3g}" if value >= _BIG else f"{value:.2f}"


def interval(impact: Impacted) -> str:
    """The 95 % interval, or why there is none."""
    if impact.low is None or impact.high is None:
        return f"preliminary, {counted(impact.sequences, 'text')}"
    return bounds(impact.low, impact.high)


def bounds(low: float, high: float) -> str:
    """`[-0.2, +0.5]`, in percent."""
    return f"[{low + 0.0:+.1f}, {high + 0.0:+.1f}]"


def line(impact: Impacted | None, heads: int, size: int, *, stale: bool = False, problem: str = "") -> str:
    """The app's lowest line but one: what the current switchboard costs."""
    if not size:
        return ""
    told = f"{heads} of {counted(size, 'head')}" if heads else "all heads neural"
    if problem and impact is None:
        return f"perplexity not measured: {problem}  ·  {told}"
    if impact is None:
        return f"perplexity …  ·  {told}"
    texts = f"dev, {counted(impact.sequences, 'text')}"
    if not heads and not stale:
        return f"perplexity {perplexity(impact.neural_perplexity)}  ·  {told}  ·  {texts}"
    both = f"perplexity {perplexity(impact.neural_perplexity)} → {perplexity(impact.perplexity)}"
    shown = f"{both}  {percent(impact.increase_percent)} {interval(impact)}  ·  {told}  ·  {texts}"
    return f"stale: {shown}" if stale else shown
