"""The trusted side of the sandbox: refuses what may not run, and has the rest run as safely as the system allows."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal, Self

from readhead.errors import SandboxError
from readhead.sandbox import policy
from readhead.sandbox.backend import Backend, Line, Ticket
from readhead.sandbox.forks import Forks
from readhead.sandbox.kept import Kept
from readhead.sandbox.portable import Portable
from readhead.sandbox.results import Failure, Limits, Run
from readhead.tokens import Text

Level = Literal["auto", "locked", "fork", "portable"]
_USUAL: Final = Limits()


class Sandbox:
    """Runs programs over texts, each in a process of its own; `with Sandbox() as sandbox: …`.

    Args:
        limits: of every program.
        level: what stands between a program and the machine, besides the allow-list.
            `auto`: the best there is. `locked`: a process for every program, without system calls; or else an error.
            `fork`: the same without the system-call filter. `portable`: one worker for all programs, as on systems
            that have neither.
        allow_reduced: run generated programs at a level other than `locked` too.

    Raises:
        SandboxError: for a level that this system does not have; and, from any method, where a process cannot be
            started.
    """

    def __init__(self, *, limits: Limits = _USUAL, level: Level = "auto", allow_reduced: bool = False) -> None:
        self.allow_reduced = allow_reduced
        self.watch: Callable[[], None] = lambda: None
        """Called between the results of `run_many`; what it raises ends the run."""
        self._texts: tuple[Text, ...] = ()
        self._backend = _backend(limits, level)

    @property
    def limits(self) -> Limits:
        """Of every program."""
        return self._backend.limits

    @property
    def isolation(self) -> str:
        """What stands between a program and the machine, to be shown beside results: `locked`, or `reduced: why`.

        The system has to be tried to know: the first question starts the process that runs programs.
        """
        return self._backend.isolation

    def check_consent(self) -> None:
        """See to it that generated programs may be run here.

        Raises:
            SandboxError: where the isolation is reduced, unless `allow_reduced`.
        """
        if not self.allow_reduced and self.isolation != "locked":
            raise SandboxError(
                f"generated programs are not run here unasked: isolation is {self.isolation}",
                hint="read them first, or say yes: --allow-reduced-isolation, `allow_reduced_isolation = true` in"
                " readhead.toml, or Sandbox(allow_reduced=True)",
            )

    def __enter__(self) -> Self:
        """The sandbox itself; its processes start when they are needed."""
        return self

    def __exit__(self, *_: object) -> None:
        """End its processes."""
        self.close()

    def close(self) -> None:
        """End its processes and whatever they run. A later call starts them again."""
        self._backend.close()

    def load(self, texts: Sequence[Text]) -> None:
        """Run later programs on these texts; replaces those that were loaded before."""
        self._texts = ()
        self._backend.load(tuple(texts))
        self._texts = tuple(texts)

    def run(self, source: str, *, generated: bool = False) -> Run:
        """Run one program over all loaded texts.

        Args:
            source: the program.
            generated: a language model or a stranger wrote it, and nobody has read it.

        Raises:
            SandboxError: for a generated program where the isolation is reduced, unless `allow_reduced`.
        """
        if generated:
            self.check_consent()
        return self._finish(self._begin(source))

    def run_many(self, sources: Sequence[str], *, generated: bool = False) -> Iterator[Run]:
        """Run programs over all loaded texts, several at once; results come in the order of the sources.

        Only a few programs are ahead of the result that was asked for last. For `generated` see `run`.
        """
        if generated:
            self.check_consent()
        return self._run_many(sources)

    def _run_many(self, sources: Sequence[str]) -> Iterator[Run]:
        ahead = 2 * (os.cpu_count() or 1)
        window: deque[Ticket | Run] = deque()
        try:
            for source in sources:
                window.append(self._begin(source))
                if len(window) > ahead:
                    yield self._finish(window.popleft())
                    self.watch()
            while window:
                yield self._finish(window.popleft())
                self.watch()
        finally:
            self._backend.abandon([entry for entry in window if isinstance(entry, Ticket)])

    def keep(self, source: str, *, generated: bool = False) -> Kept:
        """Keep one program in a process of its own, to be called with one text after another.

        The loaded texts have nothing to do with it. For `generated` see `run`.
        """
        if generated:
            self.check_consent()

        def begin() -> Line | Failure:
            review = policy.review(source)
            return _refusal(review) if review.findings else self._backend.keep(source, review)

        return Kept(begin)

    def _begin(self, source: str) -> Ticket | Run:
        """Check a program and send it off; a refused one is answered here."""
        review = policy.review(source)
        if not review.findings:
            return self._backend.begin(source, review)
        return Run((None,) * len(self._texts), (_refusal(review),), len(self._texts), 0.0)

    def _finish(self, entry: Ticket | Run) -> Run:
        return entry if isinstance(entry, Run) else self._backend.finish(entry)


def _backend(limits: Limits, level: Level) -> Backend:
    if level == "portable":
        return Portable(limits, "one worker for all programs, as the level asks")
    if sys.platform == "linux":
        return Forks(limits, level)
    if level == "auto":
        return Portable(limits, f"one worker for all programs, because nothing better is known for {sys.platform}")
    raise SandboxError(f"there is no level {level!r} on {sys.platform}", hint="use `auto`, or run Readhead on Linux")


def _refusal(review: policy.Review) -> Failure:
    first = review.findings[0]
    return Failure("refused", first.message, first.code, first.line, first.column, first.hint)
