"""What calls bring, looked through: whatever a front end sends, a mistake in it is told as one."""

# ruff: noqa: ANN401 - JSON
from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from readhead.corpus import PARTS, Part
from readhead.errors import UsageError


def as_whole(name: str, value: Any, least: int, most: int | None = None) -> int:
    """A whole number, `least` to `most`."""
    if type(value) is int and value >= least and (most is None or value <= most):
        return value
    bounds = f"{least} or more" if most is None else f"{least} to {most}"
    raise UsageError(f"{name} cannot be {value!r}", hint=f"give a whole number, {bounds}")


def as_number(name: str, value: Any) -> float:
    """A number, 0 or more."""
    if type(value) in (int, float) and math.isfinite(value) and value >= 0:
        return float(value)
    raise UsageError(f"{name} cannot be {value!r}", hint="give a number, 0 or more")


def as_text(name: str, value: Any) -> str:
    """A text."""
    if isinstance(value, str):
        return value
    raise UsageError(f"{name} cannot be {value!r}", hint="give a text")


def as_list(name: str, value: Any) -> list[str]:
    """Texts."""
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return list(value)
    raise UsageError(f"{name} cannot be {value!r}", hint="give a list of texts")


def as_numbers(name: str, value: Any) -> tuple[float, ...]:
    """Numbers, each 0 or more."""
    if isinstance(value, list | tuple):
        return tuple(as_number(name, each) for each in value)
    raise UsageError(f"{name} cannot be {value!r}", hint="give a list of numbers")


def as_texts_by_head(name: str, value: Any) -> dict[str, str | None]:
    """Heads, each with a program's text or None."""
    if isinstance(value, Mapping) and all(each is None or isinstance(each, str) for each in value.values()):
        return dict(value)
    raise UsageError(f"{name} cannot be {value!r}", hint='give heads with texts or null: {"L0H1": "def head(s): …"}')


def as_part(name: str, value: Any) -> Part:
    """A part of the corpus."""
    for part in PARTS:
        if part == value:
            return part
    raise UsageError(f"{name} cannot be {value!r}", hint=f"parts: {', '.join(PARTS)}")
