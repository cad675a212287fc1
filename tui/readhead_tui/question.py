"""One question in the lowest lines: which head, which filter, how much."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from readhead.errors import ReadheadError, UsageError

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType

Check = Callable[[str], object]
"""Reads an answer; raises a `ReadheadError` that says what is wrong with it."""


class Question(ModalScreen[str | None]):
    """Asks for a line of text; None when the user turns away. A wrong answer stays, with what is wrong below it."""

    DEFAULT_CSS = """
    Question { align: center bottom; background: $background 30%; }
    Question > Vertical { height: auto; max-height: 8; background: $panel; padding: 0 1; border-top: solid $primary; }
    Question Label { width: 100%; }
    Question #hint { color: $text-muted; }
    Question #hint.-wrong { color: $text-error; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave", "back")]

    def __init__(self, label: str, *, initial: str = "", hint: str = "", check: Check = str) -> None:
        super().__init__()
        self._label, self._initial, self._hint, self._check = label, initial, hint, check
        self._is_answered = False

    def compose(self) -> ComposeResult:
        """The question, the answer, the hint."""
        with Vertical():
            yield Label(self._label, markup=False)
            yield Input(self._initial, select_on_focus=False, compact=True)
            yield Label(self._hint, id="hint", markup=False)

    def on_mount(self) -> None:
        """What is typed goes into the answer, at once."""
        for answer in self.query(Input):  # none if the app is leaving
            answer.focus()

    def take(self, event: events.Key) -> None:
        """A key that was meant for the answer, but not sent to it."""
        answer = self.query_one(Input)
        if self._is_answered:
            return
        if event.is_printable and event.character:
            answer.insert_text_at_cursor(event.character)
        elif event.key == "enter":
            self.call_later(answer.action_submit)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the answer, if it can be read."""
        try:
            self._check(event.value)
        except ReadheadError as error:
            hint = self.query_one("#hint", Label)
            hint.update(f"{error}; {error.hint}" if error.hint else str(error))
            hint.add_class("-wrong")
            return
        self._answer(event.value)

    def _answer(self, answer: str | None) -> None:
        if not self._is_answered:  # a second key may be on its way
            self._is_answered = True
            self.dismiss(answer)

    def action_leave(self) -> None:
        """No answer."""
        self._answer(None)


def read_whole(text: str, noun: str, most: int) -> int:
    """A whole number, 1 to `most`.

    Raises:
        UsageError: if it is none.
    """
    try:
        number = int(text)
    except ValueError as error:  # also of thousands of digits
        raise UsageError(f"{text[:20]!r} is no number of {noun}", hint=f"1 to {most:,}") from error
    if not 1 <= number <= most:
        raise UsageError(f"{text[:20]!r} is no number of {noun}", hint=f"1 to {most:,}")
    return number


def read_number(text: str, hint: str) -> float:
    """A number, 0 or more; a percent sign may stand behind it.

    Raises:
        UsageError: with this hint, if it is none.
    """
    try:
        number = float(text.strip().removesuffix("%"))
    except ValueError as error:
        raise UsageError(f"{text!r} is no number", hint=hint) from error
    if not math.isfinite(number) or number < 0:
        raise UsageError(f"{text!r} cannot be", hint=hint)
    return number
