"""The work on one head: ask a language model for programs, judge them, refine the best.

1. Ask for several different programs; judge each (`judge`).
2. Refinement rounds: the best two go back with the rows that they predict worst, and better versions are asked for.
3. Fit the constants of the best.

The work is a generator of questions (`HeadDrafts.work`); `schedule` gives it the answers. What was answered and judged
in an earlier run is taken from the notebook.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from readhead.errors import OllamaError, ProgramError, UsageError
from readhead.heads import HeadId
from readhead.library import Target, measure_floor
from readhead.program import Program, without_metadata
from readhead.synthesis.constants import fit_constants
from readhead.synthesis.ollama.candidates import Candidate, count_reasons
from readhead.synthesis.ollama.client import Answer
from readhead.synthesis.ollama.judge import Judge
from readhead.synthesis.ollama.notebook import Notebook
from readhead.synthesis.ollama.prompts import Prompts
from readhead.synthesis.ollama.replies import Draft, as_source, beginning, fenced_drafts, read_reply, whole_drafts
from readhead.synthesis.ollama.summary import Rival, summarise

if TYPE_CHECKING:
    from readhead.sandbox import Sandbox

_SURPLUS: Final = 3
"""So many times what was asked for is judged of one reply at most."""
_FITTED: Final = 2
"""Of the best candidates, so many have their constants fitted."""
_FIT_ROUNDS: Final = 2
_REFINED: Final = 2
"""Better versions that are asked for of one program."""


@dataclass(frozen=True)
class Drafting:
    """How a language model is asked for programs."""

    count: int = 5
    """Programs that the first prompt asks for."""
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

    head: HeadId
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
        facts = {"head": str(self.head), "step": self.step, "programs": self.drafts, "earlier": self.earlier}
        return facts | {"problem": self.problem or None} | told


@dataclass(frozen=True)
class Row:
    """A line of what is shown while work goes on."""

    head: HeadId
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
    unreached: list[HeadId] = field(default_factory=list)
    """Heads that the budget, or an error, left without a question."""
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
            "tokens": self.tokens,
            "notes": self.notes,
            "unreached": [str(head) for head in self.unreached],
            "budget_spent": self.spent,
            "error": None if self.error is None else {"message": str(self.error), "hint": self.error.hint},
            "seconds": self.seconds,
        }

    @property
    def tokens(self) -> int:
        """Read and written in this run, not in earlier ones."""
        now = (exchange.answer for exchange in self.exchanges if not exchange.earlier)
        return sum(answer.prompt_tokens + answer.reply_tokens for answer in now)


Make = Callable[[int], str]
"""Makes a prompt; called with the characters that a summary may have."""
Show = Callable[[Row], None]


@dataclass(frozen=True)
class Ask:
    """A step that wants an answer."""

    head: HeadId
    step: str
    make: Make


class Enough(Exception):  # noqa: N818 - not an error
    """Raised in a head's work when nothing more can be asked."""


@dataclass
class Run:
    """What the work on all heads shares."""

    target: Target
    wanted: Drafting
    sandbox: Sandbox
    prompts: Prompts
    notebook: Notebook
    drafted: Drafted
    show: Show
    started: float = field(default_factory=time.monotonic)

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

    def told(self, ask: tuple[HeadId, str], answer: Answer, drafts: int, problem: str) -> None:
        """Note what came of a step."""
        head, step = ask
        earlier = self.notebook.is_earlier(head, step)
        self.drafted.exchanges.append(Exchange(head, step, answer, drafts, problem, earlier))

    def show_candidate(self, candidate: Candidate) -> None:
        """Draw a candidate's line."""
        stage: str = candidate.stage if candidate.is_kept else candidate.reason
        if candidate.is_kept and candidate.jsd is not None:
            stage = "kept, looks ahead" if candidate.look_ahead else "kept"
        name = f"#{candidate.number}"
        self.show(Row(candidate.head, name, stage, candidate.iou, candidate.tokens, candidate.seconds))


def write_prompt(
    target: Target, head: HeadId, wanted: Drafting, prompts: Prompts, room: int, rival: Rival | None
) -> str:
    """Asks for programs for a head; the summary has as many characters as there is room for."""
    summary = summarise(target, head, lambda text: len(text) <= room, rival=rival)
    return prompts.write(summary, count=wanted.count, terms=wanted.terms)


class HeadDrafts:
    """The work on one head."""

    def __init__(self, run: Run, head: HeadId, start: Program | None) -> None:
        self._run = run
        self._head = head
        self._judge = Judge(run.target, head, run.sandbox, terms=run.wanted.terms)
        self._floor = measure_floor(run.target, "fit").best(run.target.geometry.index_of(head))[1]
        self._own: list[Candidate] = []
        self._refined: set[str] = set()
        self._rival: Rival | None = None
        self._pool: list[tuple[float, str]] = []
        """Distance and text of the programs that may be refined."""
        if start is not None:
            measured = self._judge.measure(start.source)
            if measured is not None:
                self._judge.remember(0, start.source)
                self._pool.append((measured.jsd, start.source))
                self._rival = Rival(start.source, measured.iou)

    def work(self) -> Generator[Ask, Answer, None]:
        """Asks, and judges what comes, until all rounds are done or `Enough` is raised."""
        wanted = self._run.wanted
        try:
            yield from self._take("write", self._write_prompt, wanted.count)
            for number in range(1, wanted.rounds + 1):
                parents = [pair for pair in sorted(self._pool) if pair[1] not in self._refined][: wanted.width]
                for place, (_, source) in enumerate(parents, 1):
                    self._refined.add(source)
                    yield from self._take(f"refine {number}.{place}", self._refine_prompt(source), _REFINED)
        except Enough:
            pass
        self._fit_best()

    def _write_prompt(self, room: int) -> str:
        run = self._run
        return write_prompt(run.target, self._head, run.wanted, run.prompts, room, self._rival)

    def _refine_prompt(self, source: str) -> Make:
        @cache  # a prompt that was answered before is never made
        def facts() -> tuple[float, str]:
            measured = self._judge.measure(source)
            return measured.iou if measured else 0.0, self._judge.failures(source)

        def make(room: int) -> str:
            reached, failures = facts()
            return self._run.prompts.refine(
                self._summary(room // 2),
                without_metadata(source),
                failures,
                iou=reached,
                floor=self._floor,
                count=_REFINED,
                terms=self._run.wanted.terms,
            )

        return make

    def _summary(self, room: int) -> str:
        return summarise(self._run.target, self._head, lambda text: len(text) <= room, rival=self._rival)

    def _take(self, step: str, make: Make, count: int) -> Generator[Ask, Answer, None]:
        """Ask, and judge every program of the answer."""
        drafts = yield from self._drafts(step, make)
        for place, (draft, share) in enumerate(drafts):
            candidate = Candidate(self._head, len(self._own) + 1, step, as_source(draft, self._head), tokens=share)
            if place >= _SURPLUS * count:
                candidate = replace(candidate, reason="surplus", detail=f"{count} were asked for, {len(drafts)} came")
            self._add(candidate)

    def _drafts(self, step: str, make: Make) -> Generator[Ask, Answer, list[tuple[Draft, int]]]:
        """The programs of an answer, each with about the tokens it took; asked once more where there are none."""
        answer = yield Ask(self._head, step, make)
        found, problem = self._read(step, answer)
        if answer.cut:
            self._note(
                step,
                f"the server read only {answer.prompt_tokens} tokens of the prompt, which did not fit the window of "
                f"{answer.window}; it is asked again with a larger one",
            )
            answer = yield Ask(self._head, f"{step}, whole", make)
            more, problem = self._read(f"{step}, whole", answer)
            found += more
        if problem and not found:
            self._note(step, f"the reply cannot be used ({problem}); it is asked for once more")
            told = beginning(answer.text)

            def again(room: int) -> str:
                return self._run.prompts.again(make(room), told, problem)

            second = yield Ask(self._head, f"{step}, again", again)
            found, problem = self._read(f"{step}, again", second, fences=True)
            if problem:
                found, _ = self._read(step, answer, fences=True, tell=False)
            if not found:
                self._note(step, f"the second reply cannot be used either ({problem})")
        return found

    def _note(self, step: str, what: str) -> None:
        self._run.drafted.notes.append(f"{self._head}, {step}: {what}")

    def _read(
        self, step: str, answer: Answer, *, fences: bool = False, tell: bool = True
    ) -> tuple[list[tuple[Draft, int]], str]:
        drafts, problem = read_reply(answer.text)
        if problem and answer.ending != "stop":
            drafts = whole_drafts(answer.text)
            problem = "" if drafts else f"the answer broke off ({answer.ending}) before a program was whole"
        if problem and fences:
            drafts = fenced_drafts(answer.text)
            problem = "" if drafts else problem
        if tell:
            self._run.told((self._head, step), answer, len(drafts), problem)
        each = max(1, len(answer.text))
        return [(draft, answer.reply_tokens * len(draft.code) // each) for draft in drafts], problem

    def _add(self, candidate: Candidate) -> None:
        """Judge a candidate, unless an earlier run has."""
        known = self._run.notebook.candidate(self._head, candidate.number)
        if known is not None:
            if known.is_kept:
                self._judge.remember(known.number, known.source)
        else:
            if self._run.is_late:
                raise Enough
            known = self._judge.judge(candidate, self._run.show_candidate) if candidate.is_kept else candidate
            self._run.notebook.keep(known)
        self._own.append(known)
        self._run.drafted.candidates.append(known)
        self._run.show_candidate(known)
        if known.is_eligible and known.jsd is not None:
            self._pool.append((known.jsd, known.source))

    def _fit_best(self) -> None:
        """Fit the constants of the best candidates."""
        for candidate in self._run.drafted.eligible(self._head)[:_FITTED]:
            if candidate.fitted or self._run.is_late:
                continue
            try:
                result = fit_constants(
                    candidate.program, [self._head], self._run.target, self._run.sandbox, rounds=_FIT_ROUNDS
                )
            except (ProgramError, UsageError):  # it fails on a text of dev, or has no constant
                continue
            better = self._judge.refit(candidate, result.source) if result.changes else candidate
            better = replace(better, fitted=True)
            self._run.notebook.keep(better)
            self._run.drafted.candidates[self._run.drafted.candidates.index(candidate)] = better
            self._run.show_candidate(better)
