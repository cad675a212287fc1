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
    """The step that it answers."""
    source: str
    """With fitted constants, where they were fitted."""
    key: str = ""
    """Of the answer that it came in, in the notebook."""
    place: int = 0
    """In that answer, from 0."""
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
    first_source: str = ""
    """As it was judged, where fitting has changed it."""
    first_jsd: float | None = None
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
    def as_judged(self) -> tuple[float, str]:
        """Distance and text before its constants were fitted: what the next steps go by, in every run alike."""
        distance = self.first_jsd if self.first_source else self.jsd
        return distance or 0.0, self.first_source or self.source

    @property
    def program(self) -> Program:
        """As a program, named after its head."""
        return parse(self.source, name=str(self.head))

    def as_record(self) -> dict[str, Any]:
        """For the workspace; `of_record` reads it."""
        return {
            name: value for name, value in vars(self).items() if name not in {"head", "number", "step", "key", "place"}
        }

    @classmethod
    def of_record(cls, drafted: Candidate, record: dict[str, Any]) -> Candidate:
        """A candidate that was only drafted, with what `record` tells became of it."""
        return replace(drafted, **record)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "head": str(self.head),
            "number": self.number,
            "step": self.step,
            **self.as_record(),
            "look_ahead": self.look_ahead or None,
        }


def count_reasons(candidates: list[Candidate]) -> dict[str, int]:
    """How many were dropped for each reason, the most frequent first."""
    counted = Counter(candidate.reason for candidate in candidates if not candidate.is_kept)
    return dict(counted.most_common())
