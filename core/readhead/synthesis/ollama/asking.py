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
    make: Make


Work = Generator[Ask, Answer, None]
"""Something that asks, step after step. `Enough` is raised in it when nothing more can be asked."""


class Enough(Exception):  # noqa: N818 - not an error
    """Nothing more can be asked."""


_WHOLE: Final = ("whole", "whole 2", "whole 3")
"""Steps in which a prompt that was cut is asked again, each with twice the window or more."""

Found = list[tuple[Draft, int]]
"""Drafts, each with about the tokens that it took."""


def ask_for_drafts(run: Run, about: About, step: str, make: Make) -> Generator[Ask, Answer, Found]:
    """The programs of an answer; none where it cannot be used, which the run's notes tell."""

    def note(what: str) -> None:
        run.drafted.notes.append(f"{about}, {step}: {what}")

    def read(step: str, answer: Answer, *, fences: bool = False) -> tuple[Found, str]:
        found, problem = _read(answer, fences=fences)
        run.told(about, step, answer, len(found), problem)
        return found, problem

    answer = yield Ask(about, step, make)
    found, problem = read(step, answer)
    first = answer
    try:
        for name in _WHOLE:
            if not answer.cut:
                break
            note(
                f"the server read only {answer.prompt_tokens} tokens of the prompt, which did not fit the window of "
                f"{answer.window}; it is asked again with a larger one"
            )
            answer = yield Ask(about, f"{step}, {name}", make)
            more, problem = read(f"{step}, {name}", answer)
            found += more
        if answer.cut:
            note("the prompt was never read whole")
        first = answer
        if problem and not found:
            note(f"the reply cannot be used ({problem}); it is asked for once more")

            def again(room: int) -> str:
                return run.desk.prompts.again(make(room), beginning(first.text), problem)

            second = yield Ask(about, f"{step}, again", again)
            found, still = read(f"{step}, again", second, fences=True)
            found = found or _read(first, fences=True)[0]
            if not found:
                note(f"the second reply cannot be used either ({still}): {_cure(second)}")
    except Enough:  # the server is gone, or the budget is spent: what there is by then counts
        found = found or _read(first, fences=True)[0]
        if not found:
            raise
    return found


def _cure(answer: Answer) -> str:
    """What may help where a model gives no program twice."""
    if answer.ending == "length":
        return "allow longer replies in readhead.toml: [ollama] reply_tokens"
    return "name another model in readhead.toml: [ollama] model"


def _read(answer: Answer, *, fences: bool) -> tuple[Found, str]:
    drafts, problem = read_reply(answer.text)
    if problem and answer.ending != "stop":
        drafts = whole_drafts(answer.text)
        problem = "" if drafts else f"it broke off ({answer.ending}) before a program was whole"
    if problem and fences:
        drafts = fenced_drafts(answer.text)
        problem = "" if drafts else problem
    characters = max(1, len(answer.text))
    return [(draft, answer.reply_tokens * len(draft.code) // characters) for draft in drafts], problem
