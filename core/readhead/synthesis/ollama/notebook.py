"""What a run has asked and heard, in the workspace: nothing that a model has written is asked for again.

A run is known by everything that all its prompts depend on; a step by what it asks about, what that started from, and
its name. An answer is saved while it comes:
of one that broke off, or whose process was killed, the programs that are whole count.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from readhead.heads import HeadId
from readhead.program import Program
from readhead.synthesis.ollama.candidates import Candidate
from readhead.synthesis.ollama.client import Answer, Question
from readhead.synthesis.ollama.replies import whole_drafts
from readhead.workspace import Workspace

_KEPT = ("text", "thinking", "characters", "window", "prompt_tokens", "reply_tokens", "seconds", "ending", "cut")


About = HeadId | str
"""What is asked about: a head, or a program by its name."""


@dataclass(frozen=True)
class Page:
    """One request with its answer, in the notebook."""

    about: About
    step: str
    question: Question
    asked: float
    """When, in seconds since the epoch."""


class Notebook:
    """The answers and candidates of one run."""

    def __init__(self, workspace: Workspace, run: str, starts: Mapping[About, Program]) -> None:
        self._workspace = workspace
        self._run = run
        self._starts = {about: program.fingerprint for about, program in starts.items()}
        self._answers = {
            (key, step): _answer_of(record) for key, step, record in workspace.stored_answers(run) if _counts(record)
        }
        self._candidates = dict(workspace.stored_candidates(run))

    def answer(self, about: About, step: str) -> Answer | None:
        """What was answered before; None where the step is to be asked."""
        return self._answers.get((self._key(about), step))

    def begin(self, about: About, step: str, question: Question) -> Page:
        """A new page, for a request that is about to be sent."""
        page = Page(about, step, question, time.time())
        self.save(page, Answer(ending="begun"))
        return page

    def save(self, page: Page, answer: Answer) -> None:
        """Save what has come so far."""
        question = {name: getattr(page.question, name) for name in ("system", "prompt", "seed")}
        record: dict[str, Any] = {name: getattr(answer, name) for name in _KEPT} | {"question": question}
        record["problem"] = str(answer.error) if answer.error else None
        self._workspace.store_answer(self._run, self._key(page.about), page.step, page.asked, record)

    def judged(self, drafted: Candidate) -> Candidate | None:
        """What became of a candidate that was judged before."""
        record = self._candidates.get((self._key(drafted.head), drafted.key, drafted.place))
        return None if record is None else Candidate.of_record(drafted, record)

    def keep(self, candidate: Candidate) -> None:
        """Save a candidate with what became of it."""
        key = self._key(candidate.head)
        self._workspace.store_candidate(self._run, key, candidate.key, candidate.place, candidate.as_record())

    def _key(self, about: About) -> str:
        start = self._starts.get(about)
        return f"{about} from {start}" if start else str(about)


def is_settled(answer: Answer) -> bool:
    """Whether an answer counts: it came to its end, or holds programs that are whole."""
    return answer.ending in {"stop", "length"} or bool(whole_drafts(answer.text))


def _counts(record: dict[str, Any]) -> bool:
    return is_settled(_answer_of(record))


def _answer_of(record: dict[str, Any]) -> Answer:
    answer = Answer(**{name: record[name] for name in _KEPT})
    return replace(answer, ending="broken") if answer.ending == "begun" else answer
