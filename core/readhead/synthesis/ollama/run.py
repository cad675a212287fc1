"""A run: what is wanted, what all work on it shares, and what it has brought."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from readhead.errors import OllamaError, UsageError
from readhead.heads import HeadId
from readhead.library import Target
from readhead.synthesis.ollama.candidates import Candidate, count_reasons
from readhead.synthesis.ollama.client import Answer
from readhead.synthesis.ollama.notebook import About, Notebook
from readhead.synthesis.ollama.prompts import Prompts

if TYPE_CHECKING:
    from readhead.sandbox import Sandbox
    from readhead.settings import OllamaSettings
    from readhead.workspace import Workspace


@dataclass(frozen=True)
class Drafting:
    """How a language model is asked for programs."""

    count: int = 5
    """Programs that the first prompt asks for; 0 to refine only what the work starts from."""
    rounds: int = 2
    """Of refinement."""
    width: int = 2
    """Programs that are refined in a round."""
    terms: int = 8
    """The most terms of a program."""
    seed: int = 0
    time_limit: float | None = None
    """Seconds after which nothing more is asked or judged."""
    token_limit: int | None = None
    """Tokens, read and written, after which nothing more is asked."""

    def after(self, seconds: float) -> Drafting:
        """The same, when so much of the time is gone."""
        if self.time_limit is None:
            return self
        return replace(self, time_limit=max(self.time_limit - seconds, 1e-3))

    def __post_init__(self) -> None:
        for name in ("time_limit", "token_limit"):
            limit = getattr(self, name)
            if limit is not None and not limit > 0:
                raise UsageError(f"the {name.replace('_', ' ')} is not above zero", hint="give more, or leave it out")


@dataclass(frozen=True)
class Exchange:
    """One request and its answer, as it is told."""

    about: About
    step: str
    answer: Answer
    drafts: int
    """Programs in it."""
    problem: str
    """Why there are none, or what was wrong with it."""
    earlier: bool
    """It was answered in an earlier run."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = {name: getattr(self.answer, name) for name in ("ending", "prompt_tokens", "reply_tokens", "seconds")}
        facts = {"about": str(self.about), "step": self.step, "programs": self.drafts, "earlier": self.earlier}
        return facts | {"problem": self.problem or None} | told


@dataclass(frozen=True)
class Row:
    """A line of what is shown while work goes on."""

    about: About
    name: str
    """The step that is asked, or the number of a candidate: `#3`."""
    stage: str
    iou: float | None = None
    tokens: int = 0
    seconds: float = 0.0


@dataclass
class Drafted:
    """What a language model has brought."""

    model: str
    """As Ollama names it."""
    candidates: list[Candidate] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What the user should know: prompts that were cut, answers that broke off."""
    unreached: list[About] = field(default_factory=list)
    """What the budget, or an error, left without a question."""
    tokens: int = 0
    """Read and written in this run, answers that broke off included; not in earlier ones."""
    unjudged: int = 0
    """Programs of answers for which there was no time."""
    spent: bool = False
    """The budget has ended the run."""
    error: OllamaError | None = None
    """What has ended the run."""
    seconds: float = 0.0

    @property
    def kept(self) -> list[Candidate]:
        """Those that passed the cascade."""
        return [candidate for candidate in self.candidates if candidate.is_kept]

    def eligible(self, head: HeadId) -> list[Candidate]:
        """A head's candidates that may be chosen, the closest on `fit` first."""
        own = [each for each in self.candidates if each.head == head and each.is_eligible]
        return sorted(own, key=lambda each: (each.jsd or 0.0, each.number))

    def as_dict(self) -> dict[str, Any]:
        """The `ollama` member of `readhead synthesize --json`; the numbers of candidates add up."""
        return {
            "model": self.model,
            "candidates": [candidate.as_dict() for candidate in self.candidates],
            "found": len(self.candidates),
            "kept": len(self.kept),
            "dropped": count_reasons(self.candidates),
            "exchanges": [exchange.as_dict() for exchange in self.exchanges],
            "unjudged": self.unjudged,
            "tokens": self.tokens,
            "notes": self.notes,
            "unreached": [str(about) for about in self.unreached],
            "budget_spent": self.spent,
            "error": None if self.error is None else {"message": str(self.error), "hint": self.error.hint},
            "seconds": self.seconds,
        }


Show = Callable[[Row], None]


@dataclass(frozen=True)
class Desk:
    """What it takes to ask a language model, and to judge what it writes."""

    target: Target
    """What the programs are to predict."""
    settings: OllamaSettings
    """Of the server."""
    workspace: Workspace
    """Keeps every prompt, reply and candidate; the same work goes on where it ended."""
    sandbox: Sandbox
    """Runs the programs."""
    prompts: Prompts
    """The templates."""
    show: Show = lambda _: None
    """Called with each line of what is going on."""
    model: str = ""
    """The model's name, which no prompt tells."""


class Asked(Protocol):
    """A step, as far as it is told."""

    @property
    def about(self) -> About: ...  # noqa: D102 - as in `readhead.synthesis.ollama.asking.Ask`
    @property
    def step(self) -> str: ...  # noqa: D102 - as there
    @property
    def key(self) -> str: ...  # noqa: D102 - as there


def text_digest(source: str) -> str:
    """A short name of a text."""
    return hashlib.sha256(source.encode(errors="replace")).hexdigest()[:12]


@dataclass
class Run:
    """What all work of a run shares."""

    desk: Desk
    wanted: Drafting
    notebook: Notebook
    drafted: Drafted
    started: float = field(default_factory=time.monotonic)
    between: Callable[[], None] = lambda: None
    """Called between two candidates: what was answered meanwhile is saved."""

    @property
    def is_late(self) -> bool:
        """Whether the time is up."""
        limit = self.wanted.time_limit
        return limit is not None and time.monotonic() - self.started > limit

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be asked."""
        limit = self.wanted.token_limit
        if self.is_late or (limit is not None and self.drafted.tokens >= limit):
            self.drafted.spent = True
        return self.drafted.spent or self.drafted.error is not None

    def told(self, ask: Asked, answer: Answer, drafts: int, problem: str) -> None:
        """Note what came of a step."""
        earlier = self.notebook.answer(ask.about, ask.key) is not None
        self.drafted.exchanges.append(Exchange(ask.about, ask.step, answer, drafts, problem, earlier))

    def show_candidate(self, candidate: Candidate) -> None:
        """Draw a candidate's line."""
        stage: str = candidate.stage if candidate.is_kept else candidate.reason
        if candidate.is_kept and candidate.jsd is not None:
            stage = "kept, looks ahead" if candidate.look_ahead else "kept"
        name = f"#{candidate.number}"
        self.desk.show(Row(candidate.head, name, stage, candidate.iou, candidate.tokens, candidate.seconds))
