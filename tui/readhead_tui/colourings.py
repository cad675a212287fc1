"""What the cells of the map show: a number or a word for each head, and its colour. No widget here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from readhead.heads import HeadId
from readhead_tui.known import Known
from readhead_tui.shades import RGB, Palette


@dataclass(frozen=True)
class Shown:
    """One head, under one colouring."""

    text: str
    """At most four characters."""
    short: str
    """At most two."""
    value: float | None
    """0 to 1, or -1 to 1 where it is signed; None for no colour."""
    signed: bool = False


Colouring = Callable[[Known, HeadId], Shown]
_UNKNOWN: Final = Shown("·", "·", None)
_ROOM: Final = 4
"""Characters of a number in a wide cell."""
_MOST_LIFT: Final = 0.4
"""The lift that has the strongest colour."""
_MOST_IMPACT: Final = 5.0
"""The increase of the perplexity in percent that has the strongest colour."""


def _fraction(value: float) -> str:
    """`.57`, `1.0`, `-.12`."""
    told = f"{value:.2f}"
    return told.replace("0.", ".", 1) if abs(value) < 0.995 else f"{value:.1f}"  # noqa: PLR2004 - rounds to 1.00


def _hundredths(value: float) -> str:
    return _two(min(99, round(100 * value)))  # all of it is 99


def _two(value: int) -> str:
    """A whole number, or `++` and `--` for one that has no room."""
    told = f"{value:2d}"
    return told if len(told) <= 2 else "++" if value > 0 else "--"  # noqa: PLR2004 - its name


def _iou(known: Known, head: HeadId) -> Shown:
    value = known.iou(head)
    if value is None:
        return _UNKNOWN
    # An inactive head looks explained by its number: it has no colour.
    return Shown(_fraction(value), _hundredths(value), None if known.card(head).inactive else value)


def _lift(known: Known, head: HeadId) -> Shown:
    value = known.lift(head)
    if value is None:
        return _UNKNOWN
    text = "idle" if known.card(head).inactive else ("+" if value >= 0 else "") + _fraction(value)
    return Shown(text[:4], _hundredths(value), value / _MOST_LIFT, signed=True)


def _impact(known: Known, head: HeadId) -> Shown:
    alone = known.impact(head)
    if alone is None:
        return _UNKNOWN
    value = alone.increase_percent
    if value is None:
        return Shown("no", "no", None)
    return Shown(_percent(value), _two(round(value)), value / _MOST_IMPACT, signed=True)


def _percent(value: float) -> str:
    """`+1.2`, `-13`, `+999`, `+12k`, and `>99k` for what has no room."""
    for told in (f"{value:+.1f}", f"{value:+.0f}", f"{value / 1000:+.0f}k"):
        if len(told) <= _ROOM:
            return told
    return ">99k"


def _category(known: Known, head: HeadId) -> Shown:
    category = known.card(head).category
    if not category:
        return _UNKNOWN
    names = list(ABBREVIATIONS)
    place = names.index(category) if category in names else len(names) - 1
    word = ABBREVIATIONS.get(category, category[:4])
    return Shown(word, word[:2], place / (len(names) - 1))


ABBREVIATIONS: Final = {
    "first token": "frst",
    "sequential and induction": "sequ",
    "boundaries": "boun",
    "coreference": "cref",
    "syntax": "synt",
    "word assembly": "word",
    "uniform": "unif",
    "mixed": "mix",
}
"""Of the categories of programs, on the map."""


def _mode(known: Known, head: HeadId) -> Shown:
    return Shown("prog", "pr", 1.0) if head in known.board else Shown("neur", "ne", 0.15)


COLOURINGS: Final[dict[str, Colouring]] = {
    "IoU": _iou,
    "lift": _lift,
    "impact": _impact,
    "category": _category,
    "mode": _mode,
}
"""In the order in which one key goes through them."""

LEGENDS: Final = {
    "IoU": "IoU of the best program, dev; without colour: inactive",
    "lift": "IoU over the best trivial program, dev; idle: the head looks at the first token only",
    "impact": "percent of perplexity when the head's best program alone stands in for it, dev",
    "category": "category of the best program",
    "mode": "program or neural",
}


def colour(shown: Shown, palette: Palette) -> RGB | None:
    """The colour of a cell; None where it has none."""
    if shown.value is None or not palette.has_colour:
        return None
    return palette.shade(shown.value, signed=shown.signed)
