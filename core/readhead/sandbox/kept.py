"""One program that is called again and again: for generating text, and for scoring as somebody types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Self

import numpy as np

from readhead.sandbox.backend import Line
from readhead.sandbox.results import Failure, Run, Weights
from readhead.tokens import Text

_CHECK_EVERY: Final = 16


class Kept:
    """One program, in a process that is kept for it; `with sandbox.keep(source) as kept: …`.

    Every text finds the program as if it were the first: its file is run anew, and a process in which something of an
    earlier text has stayed is replaced. Against what escapes that, the first text is given to it again, after the
    second call and then after every sixteenth. If the weights differ in a single bit, the process is ended, and every
    call answers with that failure.
    """

    def __init__(self, begin: Callable[[], Line | Failure]) -> None:
        self._begin = begin
        self._line: Line | None = None
        self._first: tuple[Text, Weights] | None = None
        self._calls = 0
        self._failure: Failure | None = None

    def __enter__(self) -> Self:
        """Itself; the process starts with the first call."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self.close()

    def close(self) -> None:
        """End the process. A later call starts another."""
        if self._line is not None:
            self._line.close()
        self._line = None

    def weights(self, text: Text) -> Weights | Failure:
        """The raw `[n, n]` weights for one text, or why there are none.

        After a time-out, a crash or running out of memory the next call has a new process.
        """
        answer = self._call(text)
        if isinstance(answer, Failure):
            return answer
        self._calls += 1
        if self._first is None:
            self._first = (text, answer.copy())
        if self._calls == 2 or self._calls % _CHECK_EVERY == 0:  # noqa: PLR2004 - the second
            return self.check() or answer
        return answer

    def check(self) -> Failure | None:
        """Call it with its first text again; what is wrong if the answer is another one."""
        if self._first is None or self._failure is not None:
            return self._failure
        text, before = self._first
        again = self._call(text)
        if isinstance(again, Failure):
            return again
        if not np.array_equal(before.view(np.uint32), again.view(np.uint32)):
            self.close()
            self._failure = Failure(
                "bad result",
                "gave other weights when it was called with the same text again",
                hint="let the weights depend on the text alone, not on where an object lies in memory",
            )
        return self._failure

    def _call(self, text: Text) -> Weights | Failure:
        if self._failure is not None:
            return self._failure
        if self._line is None:
            line = self._begin()
            if isinstance(line, Failure):
                return line
            self._line = line
        return _only(self._line.call(text))


def _only(run: Run) -> Weights | Failure:
    (weights,) = run.weights
    return run.failures[0] if weights is None else weights
