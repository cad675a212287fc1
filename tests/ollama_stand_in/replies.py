"""What the model says, and what goes wrong while it says it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any


class ScriptError(ValueError):
    """A script that asks for what the stand-in does not know."""


class Fault(StrEnum):
    """What happens after `Reply.fault_after` chunks of the answer."""

    CUT = "cut"
    """The connection drops: the body is not complete."""
    UNFINISHED = "unfinished"
    """The body ends properly, without the line that says `done`."""
    MALFORMED = "malformed"
    """One line is no JSON; the rest follows as if nothing had happened."""
    ERROR = "error"
    """A line with `Reply.error`, and the end: what Ollama does when its runner dies."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer of `/api/chat`. `Reply()` is the empty one."""

    text: str = ""
    thinking: str = ""
    """In `message.thinking` if the model has the capability; otherwise in the content, between `<think>` tags.

    A capable model that is asked with `think: false` leaves it out.
    """
    tagged: bool = False
    """`<think>` tags in the content, whatever the model: what a template without a parser gives."""
    fence: str | None = None
    """The answer stands in a Markdown fence of this language, "" for none."""
    status: int = 200
    """Other than 200: this HTTP error at once, with `error` as its text."""
    error: str | None = None
    fault: Fault | None = None
    fault_after: int = 1
    """Chunks (tokens, but for pieces of a character) that arrive before the fault."""
    load_s: float = 0.0
    """The model is loaded anew for this, and takes this long."""
    first_token_s: float = 0.0
    """Nothing is sent for so long, not even headers, as from Ollama while it reads the prompt."""
    token_s: float = 0.0
    """Between chunks."""
    done_reason: str | None = None
    """Instead of `stop`, or of `length` at `num_predict`."""

    @property
    def content(self) -> str:
        """The answer in its fence."""
        return self.text if self.fence is None else f"```{self.fence}\n{self.text.strip(chr(10))}\n```"

    @property
    def message(self) -> str:
        """What an error of this reply says."""
        errors = {
            500: "llama runner process has terminated: signal: killed",
            503: "server busy, please try again.  maximum pending requests exceeded",
        }
        return self.error if self.error is not None else errors.get(self.status, errors[500])

    @classmethod
    def read(cls, written: Any) -> Reply:
        """From a script: a text, or an object with fields of this class.

        Raises:
            ScriptError: it is neither, or a field is unknown.
        """
        if isinstance(written, cls):
            return written
        if isinstance(written, str):
            return cls(text=written)
        if not isinstance(written, dict):
            raise ScriptError(f"a reply is a text or an object, not {written!r}")
        known = {field.name for field in fields(cls)}
        if unknown := sorted(written.keys() - known):
            raise ScriptError(f"no reply has {', '.join(unknown)}; there are {', '.join(sorted(known))}")
        fault = written.get("fault")
        if fault is not None and fault not in list(Fault):
            raise ScriptError(f"no fault is called {fault!r}; there are {', '.join(Fault)}")
        return cls(**{**written, "fault": Fault(fault) if fault is not None else None})


def read_all(written: Iterable[Any]) -> list[Reply]:
    """The replies of a script, in order."""
    return [Reply.read(one) for one in written]
