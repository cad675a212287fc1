"""What the engine answers, as values; each with a stamp of exactly what it depends on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from typing import Any, Self


def text_stamp(source: str) -> str:
    """Of a program's text: 16 hexadecimal digits. Any other byte makes another one."""
    return hashlib.sha256(source.encode()).hexdigest()[:16]


class _Sent:
    """Travels as JSON."""

    @classmethod
    def read(cls, document: dict[str, Any]) -> Self:
        """The value that `asdict` made the document from."""
        known = {item.name for item in fields(cls)}  # type: ignore[arg-type]  # dataclasses only
        return cls(**{name: value for name, value in document.items() if name in known})


@dataclass(frozen=True)
class Stamp(_Sent):
    """What a result depends on. One whose stamp is not the current one is stale."""

    text: str
    """Of the program, by `text_stamp`."""
    model: str
    corpus: str
    part: str = "dev"
    length: int = 0
    """Tokens a sequence."""
    board: str = ""
    """Of a perplexity: the switchboard."""


@dataclass(frozen=True)
class Scored(_Sent):
    """One program on one head, on `dev`."""

    head: str
    stamp: dict[str, Any]
    iou: float
    iou_without_first: float | None
    jsd: float
    trivial: str
    trivial_iou: float
    inactive: bool
    coverage: float
    sequences: int
    failures: list[dict[str, Any]] = field(default_factory=list)
    """What went wrong, as `readhead.sandbox.Failure.as_dict` says it."""
    look_ahead: str = ""
    rank: int | None = None
    """Among library and workspace, from 1; None while they are not ranked."""
    of: int | None = None
    mistakes: list[dict[str, Any]] = field(default_factory=list)
    """Worst rows, as `readhead.scoring.Mistake` has them."""

    @property
    def lift(self) -> float:
        """IoU minus the floor."""
        return self.iou - self.trivial_iou


@dataclass(frozen=True)
class Impacted(_Sent):
    """What a switchboard does to the perplexity, on `dev`."""

    stamp: dict[str, Any]
    perplexity: float
    neural_perplexity: float
    increase_percent: float
    low: float | None
    high: float | None
    preliminary: bool
    sequences: int
    replaced: list[str] = field(default_factory=list)
    failed: dict[str, int] = field(default_factory=dict)
    controls: dict[str, float] = field(default_factory=dict)
    """Increase in percent of what stands on the same heads instead."""
    kl: float | None = None
    top1_agreement: float | None = None


@dataclass(frozen=True)
class Blame(_Sent):
    """What one part of a program earns."""

    start: tuple[int, int]
    """Line and column, from 0; columns in characters. The end is behind the last character."""
    end: tuple[int, int]
    text: str
    loss: float
    """IoU that is lost without it; below zero where the program is better without."""
    without: str
    """The program's text without it."""


@dataclass(frozen=True)
class Card(_Sent):
    """What is known of one head."""

    head: str
    trivial: str
    trivial_iou: float
    inactive: bool
    best: str = ""
    """Its best program's name; empty while the programs are not ranked."""
    best_iou: float | None = None
    explanation: str = ""
    category: str = ""
    path: str = ""
    others: list[dict[str, Any]] = field(default_factory=list)
    """The next best programs: name, path and IoU."""
    mode: str = "neural"
    text: str = ""
    """Of the best program, by `text_stamp`: what was measured of another text is not of this card."""


@dataclass(frozen=True)
class Switches(_Sent):
    """The current switchboard: workspace state."""

    heads: dict[str, str]
    """Heads in program mode, each with its program's text."""
    fingerprint: str
    """Of all of it; empty while every head is neural."""
