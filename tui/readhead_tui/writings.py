"""What is written for a head: runs of the search and of the language model, and the programs that they found.

No Textual here.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from readhead.heads import HeadId
from readhead.program import parse
from readhead.synthesis.ollama.candidates import REASONS
from readhead_tui.known import Candidate, counted

Kind = Literal["search", "draft", "refine"]
State = Literal["running", "done", "cancelled", "failed"]

KEPT: Final = "kept"
"""What the engine says of a language model's program that passed all that it has to."""
_MEANINGS: Final[dict[str, str]] = {
    **{str(reason): meaning for reason, meaning in REASONS.items()},
    "reads": "reads the prompt",
    "writes": "writes its answer",
    "answered": "the answer is whole",
    "broke off": "part of an answer",
    "kept, looks ahead": "it cannot stand in for the head",
}
"""What the engine's words for a stage mean; those that are not here speak for themselves."""
STAGES: Final = {"synthesize": "search", "rank": "score on dev", "extract": "read patterns"}
"""The engine's stages of a search, as they are told here."""


@dataclass(frozen=True)
class Step:
    """A line of what a run tells: a step that is asked, or a program with how far it came."""

    name: str
    stage: str
    iou: float | None = None
    """On `fit`."""
    tokens: int = 0
    seconds: float = 0.0

    @property
    def is_program(self) -> bool:
        """Whether it is a program of an answer."""
        return self.name.startswith("#")

    @property
    def is_dropped(self) -> bool:
        """Whether it is a program that is not taken."""
        return self.stage in REASONS

    @property
    def meaning(self) -> str:
        """Of its stage, in words."""
        return _MEANINGS.get(self.stage, "")


@dataclass(frozen=True)
class Found:
    """A program that was written for the head."""

    candidate: Candidate
    is_worth_its_terms: bool = False
    """Of the search's programs the one whose further terms still bring enough."""


@dataclass
class Writing:
    """All that was written for one head in this session; steps, notes and problem are of the last run."""

    head: HeadId
    kind: Kind = "search"
    subject: str = ""
    """What is refined."""
    state: State = "done"
    steps: dict[str, Step] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problem: str = ""
    cure: str = ""
    found: list[Found] = field(default_factory=list)
    """The closest first."""
    begun: float = 0.0
    ended: float | None = None

    def begin(self, kind: Kind, subject: str = "") -> None:
        """Another run; what was found stays."""
        self.kind, self.subject, self.state = kind, subject, "running"
        self.steps, self.notes, self.problem, self.cure = {}, [], "", ""
        self.begun, self.ended = time.monotonic(), None

    def end(self, state: State, problem: str = "", cure: str = "") -> None:
        """It is over."""
        self.state, self.ended = state, time.monotonic()
        self.problem, self.cure = problem, cure

    @property
    def is_running(self) -> bool:
        """Whether the engine is at work."""
        return self.state == "running"

    @property
    def seconds(self) -> float:
        """That the last run has taken."""
        return (self.ended or time.monotonic()) - self.begun

    # ---- what the engine tells ---------------------------------------------------------------------------------------

    def learn_step(self, part: Mapping[str, Any]) -> None:
        """A line of a language model's work, or what it has become."""
        step = Step(**{name: part[name] for name in Step.__dataclass_fields__ if name in part})
        self.steps[step.name] = step

    def learn_progress(self, stage: str, done: int, total: int) -> None:
        """How far the search is."""
        told = f"{done} of {total}" if total > 1 else "done" if done else "at work"
        self.learn_step({"name": STAGES.get(stage, stage), "stage": told, "seconds": self.seconds})

    def learn_front(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """The search's programs."""
        self._take(Found(Candidate.read(row), bool(row.get("chosen"))) for row in rows)

    def learn_draft(self, drafted: Mapping[str, Any]) -> None:
        """A language model's programs; what the user should know of them."""
        self.notes += drafted["notes"]
        self._take(Found(Candidate.read(row)) for row in drafted["programs"])

    def learn_revision(self, before: Candidate, revision: Mapping[str, Any]) -> None:
        """A program that a language model has refined, or why the old one was kept."""
        self.notes += revision["notes"]
        if not revision["changed"]:
            self.notes.insert(0, f"{before.name} is kept as it was: {revision['kept']}")
            return
        program = parse(revision["source"], name=before.name)
        refined = replace(before.of_program(program), origin="ollama", path="", iou=revision["dev"]["after"])
        self._take([Found(refined)])

    def _take(self, found: Iterable[Found]) -> None:
        new = list(found)
        sources = {each.candidate.source for each in new}
        kept = [each for each in self.found if each.candidate.source not in sources]
        self.found = sorted([*kept, *new], key=lambda each: -(each.candidate.iou or 0.0))

    # ---- in words ----------------------------------------------------------------------------------------------------

    @property
    def what(self) -> str:
        """What the last run does."""
        match self.kind:
            case "search":
                return "symbolic search"
            case "draft":
                return "Ollama drafts"
            case "refine":
                return f"Ollama refines {self.subject}"

    @property
    def sums(self) -> str:
        """What has come so far, in numbers that add up."""
        programs = [step for step in self.steps.values() if step.is_program]
        dropped = Counter(step.stage for step in programs if step.is_dropped)
        kept = sum(step.stage.startswith(KEPT) for step in programs)
        told = []
        if programs:
            parts = [f"{kept} kept", *(f"{count} {reason}" for reason, count in dropped.items())]
            tried = len(programs) - kept - sum(dropped.values())
            parts += [f"{tried} being tried" if self.is_running else f"{tried} not tried to the end"] if tried else []
            told.append(f"{counted(len(programs), 'program')}: {', '.join(parts)}")
        tokens = sum(step.tokens for step in self.steps.values() if not step.is_program)
        if tokens:
            told.append(f"{tokens:,} tokens")
        return "; ".join(told)
