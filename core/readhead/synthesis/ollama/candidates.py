"""Candidates: programs that a language model wrote, and how far each came."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, Literal

from readhead.heads import HeadId
from readhead.program import Program, parse

Stage = Literal["policy", "one text", "a few texts", "all texts"]
"""Of the cascade: what a candidate has to pass."""
Reason = Literal["kept", "refused", "failed", "too large", "duplicate", "far off", "surplus"]
REASONS: dict[Reason, str] = {
    "refused": "not allowed, or not Python",
    "failed": "raised, hung, or gave no weights",
    "too large": "more terms than asked for",
    "duplicate": "predicts what another one does",
    "far off": "far below the best trivial program",
    "surplus": "more than were asked for",
}


@dataclass(frozen=True)
class Candidate:
    """One program of a language model, judged on `fit`."""

    head: HeadId
    number: int
    """From 1, in the order in which the head's candidates came."""
    step: str
    """The prompt that it answers."""
    source: str
    stage: Stage = "policy"
    """The last that it reached."""
    reason: Reason = "kept"
    """Why it was dropped, or `kept`."""
    detail: str = ""
    """The same in a line, with where and what to do."""
    jsd: float | None = None
    """Jensen-Shannon distance on all `fit` texts, where it came so far."""
    iou: float | None = None
    failed: int = 0
    """Texts of `fit` on which it gave nothing; each counts as IoU 0."""
    look_ahead: str = ""
    """The row that gave it away, where it looks ahead: such a program is kept, and never chosen."""
    fitted: bool = False
    """Its constants were fitted."""
    tokens: int = 0
    """About how many the model wrote for it."""
    seconds: float = 0.0
    """That judging took."""

    @property
    def is_kept(self) -> bool:
        """Whether it passed the cascade."""
        return self.reason == "kept"

    @property
    def is_eligible(self) -> bool:
        """Whether it may be chosen: kept, and causal."""
        return self.is_kept and not self.look_ahead

    @property
    def program(self) -> Program:
        """As a program, named after its head."""
        return parse(self.source, name=str(self.head))

    def as_record(self) -> dict[str, Any]:
        """For the workspace; `of_record` reads it."""
        return {name: value for name, value in vars(self).items() if name not in {"head", "number"}}

    @classmethod
    def of_record(cls, head: HeadId, number: int, record: dict[str, Any]) -> Candidate:
        """The candidate that `record` came from."""
        return replace(cls(head, number, record["step"], record["source"]), **record)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "head": str(self.head),
            "number": self.number,
            **self.as_record(),
            "look_ahead": self.look_ahead or None,
        }


def count_reasons(candidates: list[Candidate]) -> dict[str, int]:
    """How many were dropped for each reason, the most frequent first."""
    counted = Counter(candidate.reason for candidate in candidates if not candidate.is_kept)
    return dict(counted.most_common())
