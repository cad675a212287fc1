"""Heads: their one identity, `HeadId`, and its one spelling, `L3H7`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from readhead.errors import UsageError

_SPELLING = re.compile(r"[Ll](\d+)[Hh](\d+)")


def is_head(text: str) -> bool:
    """Whether `text` is spelled like a head."""
    return _SPELLING.fullmatch(text.strip()) is not None


@dataclass(frozen=True, order=True)
class HeadId:
    """One attention head (a query head under grouped-query attention); both numbers count from zero."""

    layer: int
    index: int

    def __str__(self) -> str:
        return f"L{self.layer}H{self.index}"

    @classmethod
    def parse(cls, text: str) -> HeadId:
        """The head that `text` spells, such as `L3H7` (case does not matter).

        Raises:
            UsageError: if `text` is no such spelling.
        """
        match = _SPELLING.fullmatch(text.strip())
        if match is None:
            raise UsageError(f"{text!r} is not a head", hint="write a head as L3H7: layer 3, head 7, both from zero")
        return cls(int(match[1]), int(match[2]))


@dataclass(frozen=True)
class Geometry:
    """How many heads a model has, and where."""

    layers: int
    """Attention layers."""
    heads: int
    """Query heads in each layer."""

    @property
    def size(self) -> int:
        """All heads of the model."""
        return self.layers * self.heads

    def head_ids(self) -> list[HeadId]:
        """All heads, layer by layer: position k of every per-head array in Readhead is `head_ids()[k]`."""
        return [HeadId(layer, index) for layer in range(self.layers) for index in range(self.heads)]

    def index_of(self, head: HeadId) -> int:
        """The position of `head` in `head_ids()`.

        Raises:
            UsageError: if the model has no such head.
        """
        if not (0 <= head.layer < self.layers and 0 <= head.index < self.heads):
            last = HeadId(self.layers - 1, self.heads - 1)
            raise UsageError(f"the model has no head {head}", hint=f"its heads are L0H0 to {last}")
        return head.layer * self.heads + head.index
