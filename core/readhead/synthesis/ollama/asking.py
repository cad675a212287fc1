"""Asking for programs: a question, and what is done where its answer cannot be used.

A prompt that the server cut is asked again with a larger window; a reply that is no JSON of the schema once more, with
what is wrong with it; then programs in fences are taken. Whole programs of an answer that broke off count.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final

from readhead.synthesis.ollama.client import Answer
from readhead.synthesis.ollama.notebook import About
from readhead.synthesis.ollama.replies import Draft, beginning, fenced_drafts, read_reply, whole_drafts
from readhead.synthesis.ollama.run import Run

Make = Callable[[int], str]
"""Makes a prompt; called with the characters that a summary may have."""


@dataclass(frozen=True)
class Ask:
    """A step that wants an answer."""

    about: About
    step: str
    """As it is told."""
    make: Make
    key: str
    """As the notebook knows it: by what it asks about, where rounds and widths may change its name."""


Work = Generator[Ask, Answer, None]
"""Something that asks, step after step. `Enough` is raised in it when nothing more can be asked."""


class Enough(Exception):  # noqa: N818 - not an error
    """Nothing more can be asked."""


_WHOLE: Final = ("whole", "whole 2", "whole 3")
"""Steps in which a prompt that was cut is asked again, each with twice the window or more."""


@dataclass(frozen=True)
class Found:
    """A draft in an answer."""

    key: str
    """Of the answer."""
    place: int
    """In it, from 0."""
    draft: Draft
    tokens: int
    """About so many were written for it."""


def ask_for_drafts(
    run: Run, about: About, step: str, make: Make, *, key: str = ""
) -> Generator[Ask, Answer, list[Found]]:
    """The programs of an answer; none where it cannot be used, which the run's notes tell.

    Args:
        run: that this is part of.
        about: what is asked about.
        step: how it is told.
        make: makes the prompt.
        key: how the notebook knows it; by default as it is told.
    """
    asking = _Asking(run, about, step, key or step)
    yield from asking.ask("", make)
    first = asking.answer
    try:
        yield from asking.ask_until_whole(make)
        first = asking.answer
        if not asking.found:
            yield from asking.ask_again(make)
    except Enough:  # the server is gone, or the budget is spent: what there is by then counts
        asking.found = asking.found or _read(first, asking.key, fences=True)[0]
        if not asking.found:
            raise
    return asking.found


class _Asking:
    """The questions of one step, and what has come of them."""

    def __init__(self, run: Run, about: About, step: str, key: str) -> None:
        self.found: list[Found] = []
        self.key = key
        self.answer = Answer()
        self._problem = ""
        """Why the last answer gave no programs."""
        self._run = run
        self._about = about
        self._step = step

    def ask(self, again: str, make: Make, *, fences: bool = False) -> Generator[Ask, Answer, None]:
        ask = Ask(self._about, self._step + again, make, self.key + again)
        self.answer = yield ask
        found, self._problem = _read(self.answer, ask.key, fences=fences)
        self._run.told(ask, self.answer, len(found), self._problem)
        self.found += found

    def ask_until_whole(self, make: Make) -> Generator[Ask, Answer, None]:
        """Ask again while the server cuts the prompt."""
        for name in _WHOLE:
            if not self.answer.cut:
                return
            self._note(
                f"the server read only {self.answer.prompt_tokens} tokens of the prompt, which did not fit the window "
                f"of {self.answer.window}; it is asked again with a larger one"
            )
            yield from self.ask(f", {name}", make)
        if self.answer.cut:
            self._note("the prompt was never read whole")

    def ask_again(self, make: Make) -> Generator[Ask, Answer, None]:
        """Ask once more, with what is wrong with the answer; then take programs in fences."""
        first, problem = self.answer, self._problem
        self._note(f"the reply cannot be used ({problem}); it is asked for once more")

        def again(room: int) -> str:
            return self._run.desk.prompts.again(make(room), beginning(first.text), problem)

        yield from self.ask(", again", again, fences=True)
        self.found = self.found or _read(first, self.key, fences=True)[0]
        if not self.found:
            self._note(f"the second reply cannot be used either ({self._problem}): {_cure(self.answer)}")

    def _note(self, what: str) -> None:
        self._run.drafted.notes.append(f"{self._about}, {self._step}: {what}")


def _cure(answer: Answer) -> str:
    """What may help where a model gives no program twice."""
    if answer.ending == "length":
        return "allow longer replies in readhead.toml: [ollama] reply_tokens"
    return "name another model in readhead.toml: [ollama] model"


def _read(answer: Answer, key: str, *, fences: bool) -> tuple[list[Found], str]:
    drafts, problem = read_reply(answer.text)
    if problem and answer.ending != "stop":
        drafts = whole_drafts(answer.text)
        problem = "" if drafts else f"it broke off ({answer.ending}) before a program was whole"
    if problem and fences:
        drafts = fenced_drafts(answer.text)
        problem = "" if drafts else problem
    characters = max(1, len(answer.text))
    shares = [answer.reply_tokens * len(draft.code) // characters for draft in drafts]
    found = [Found(key, place, *pair) for place, pair in enumerate(zip(drafts, shares, strict=True))]
    return found, problem
