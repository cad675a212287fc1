"""Which heads to show: `lift < 0.1`, `program mode, layer > 2`, `induction`. No Textual here.

A filter is a list of conditions, parted by commas or `and`; a head has to meet all of them.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Final

from readhead.errors import UsageError
from readhead.heads import HeadId
from readhead_tui.known import Known

Condition = Callable[[Known, HeadId], bool]

_COMPARED: Final[dict[str, Callable[[Known, HeadId], float | None]]] = {
    "iou": Known.iou,
    "lift": Known.lift,
    "floor": lambda known, head: known.card(head).trivial_iou,
    "impact": lambda known, head: None if (alone := known.impact(head)) is None else alone.increase_percent,
    "layer": lambda _, head: float(head.layer),
    "head": lambda _, head: float(head.index),
}
_OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "==": operator.eq,
}  # fmt: skip
_STATES: Final[dict[str, Condition]] = {
    "program": lambda known, head: head in known.board,
    "neural": lambda known, head: head not in known.board,
    "inactive": lambda known, head: known.card(head).inactive,
    "active": lambda known, head: not known.card(head).inactive,
}
_COMPARISON = re.compile(r"(?P<field>\w+)\s*(?P<operator><=|>=|==|<|>|=)\s*(?P<value>.+)")
HINT: Final = f"compare {', '.join(_COMPARED)}; or write program, neural, active, inactive, or a word of the program"


def read_filter(text: str) -> Condition:
    """The condition that a text means; an empty one is met by every head.

    Raises:
        UsageError: for an unknown field or a value that is no number.
    """
    parts = [part for part in re.split(r",|\band\b", text.strip()) if part.strip()]
    conditions = [_condition(part.strip()) for part in parts]
    return lambda known, head: all(condition(known, head) for condition in conditions)


def _condition(text: str) -> Condition:
    match = _COMPARISON.fullmatch(text)
    if match is None:
        word = text.lower().removesuffix(" mode").strip()
        return _STATES.get(word) or _mentions(word)
    field = match["field"].lower()
    if field not in _COMPARED:
        raise UsageError(f"heads have no {field!r}", hint=HINT)
    try:
        wanted = float(match["value"].strip().removesuffix("%"))
    except ValueError as error:
        raise UsageError(f"{match['value']!r} is no number", hint="write for example: lift < 0.1") from error
    value_of, compare = _COMPARED[field], _OPERATORS[match["operator"]]

    def is_met(known: Known, head: HeadId) -> bool:
        value = value_of(known, head)
        return value is not None and compare(value, wanted)

    return is_met


def _mentions(word: str) -> Condition:
    def is_met(known: Known, head: HeadId) -> bool:
        card = known.card(head)
        return any(word in text.lower() for text in (card.head, card.best, card.category, card.explanation))

    return is_met
