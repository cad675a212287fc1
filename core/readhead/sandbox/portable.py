"""Our end of the portable worker: one process for all programs, replaced whenever it may have come to harm.

Nothing here needs a system with forks, sockets between processes or memory files. What the worker sends is copied into
a block that lies in this process; it is as untrusted as any other.
"""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import threading
import time
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

from readhead.errors import SandboxError
from readhead.sandbox import launch
from readhead.sandbox.backend import Ticket
from readhead.sandbox.block import Ending, plain, read_run
from readhead.sandbox.policy import Review
from readhead.sandbox.results import Limits, Run
from readhead.sandbox.worker import MESSAGE, PIECE
from readhead.tokens import Text

_SERVE: Final = "from readhead.sandbox.worker import main; main()"
_GRACE_SECONDS: Final = 1.0
"""How much later than the worker's own alarm it is ended from outside."""
_LARGEST_PIECE: Final = 1 << 30
_ENDS_IT: Final = {"time-out", "crash", "out of memory"}


class Portable:
    """One worker for all programs, one program after another.

    Args:
        limits: of every program; the time is wall-clock time.
        why: why there is nothing better.
    """

    def __init__(self, limits: Limits, why: str) -> None:
        self.limits = limits
        self.isolation = f"reduced: {why}"
        self._texts: tuple[Text, ...] = ()
        self._worker: _Worker | None = None
        self._lock = threading.RLock()

    def close(self) -> None:
        """End the worker. A later call starts another."""
        with self._lock:
            worker, self._worker = self._worker, None
            if worker is not None:
                worker.end()

    def load(self, texts: tuple[Text, ...]) -> None:
        """Run later programs on these texts."""
        with self._lock:
            self._texts = ()
            self._ready(texts)
            self._texts = texts

    def begin(self, source: str, review: Review) -> Ticket:
        """Remember a program: there is one worker, which `finish` asks."""
        return Ticket(source, review, self._texts)

    def finish(self, ticket: Ticket) -> Run:
        """Run the program."""
        with self._lock:
            try:
                worker = self._ready(ticket.texts)
                run = worker.run(ticket, self.limits)
            except BaseException:
                self.close()
                raise
            if not worker.is_sound or any(failure.kind in _ENDS_IT for failure in run.failures):
                self.close()
            return run

    def abandon(self, tickets: list[Ticket]) -> None:
        """Nothing has begun."""

    def keep(self, source: str, review: Review) -> PortableLine:
        """A worker for one program."""
        return PortableLine(Portable(self.limits, ""), source, review)

    def _ready(self, texts: tuple[Text, ...]) -> _Worker:
        """A worker that has these texts."""
        if self._worker is not None and self._worker.has_died:
            self.close()
        if self._worker is None:
            self._worker = _Worker()
        if self._worker.texts is not texts:
            try:
                self._worker.load(texts)
            except BaseException:
                self.close()
                raise
        return self._worker


class PortableLine:
    """To a worker that has one program, as `Line`; the program is defined anew for every text."""

    def __init__(self, portable: Portable, source: str, review: Review) -> None:
        self._portable = portable
        self._source = source
        self._review = review

    def call(self, text: Text) -> Run:
        """Run the program on one text."""
        return self._portable.finish(Ticket(self._source, self._review, (text,)))

    def close(self) -> None:
        """End the worker."""
        self._portable.close()


class _Worker:
    """One process, from its start to its end."""

    def __init__(self) -> None:
        self.texts: tuple[Text, ...] | None = None
        self.is_sound = True
        """Whether its canary has always given the same."""
        self._process = launch.start(_SERVE, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._pieces: queue.Queue[tuple[int, bytes] | None] = queue.Queue(maxsize=64)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        self._ended: tuple[int, str] | None = None
        self._canary = ""
        try:
            self._canary = self._message(launch.START_SECONDS)["canary"]
        except EOFError as error:
            raise SandboxError(
                f"the sandbox's worker did not start: {self._last_word()}", hint="run it again"
            ) from error
        except BaseException:
            self.end()
            raise

    @property
    def has_died(self) -> bool:
        """Whether it was ended by somebody else."""
        return self._process.poll() is not None

    def load(self, texts: tuple[Text, ...]) -> None:
        """Give it texts."""
        self.texts = None
        self._send({"op": "load", "texts": [[text.surfaces, sorted(text.special)] for text in texts]})
        error = self._message(launch.START_SECONDS + len(texts))["error"]
        if error:
            raise SandboxError(f"the texts could not be read: {plain(error)}")
        self.texts = texts

    def run(self, ticket: Ticket, limits: Limits) -> Run:
        """Run one program."""
        block = np.zeros(ticket.layout.offsets[-1], np.uint8)
        request = {"op": "run", "source": ticket.source, "seconds": limits.seconds, "memory": limits.memory_bytes}
        started = time.monotonic()
        try:
            self._send(request)
            told = self._gather(block, limits.seconds)
        except (EOFError, TimeoutError) as error:
            code, words = self.end() if isinstance(error, TimeoutError) else self._has_ended()
            timed_out = isinstance(error, TimeoutError) or (code == 1 and words.startswith("Timeout ("))
            ending = Ending(code, time.monotonic() - started, limits.seconds, timed_out, words)
        else:
            self.is_sound = told.get("canary") == self._canary
            ending = Ending(0, time.monotonic() - started, limits.seconds)
        return read_run(block, ticket.layout, ending, ticket.review)

    def end(self) -> tuple[int, str]:
        """End it; its exit status, and what it had to say before."""
        if self._ended is None:
            self._process.kill()
            self._ended = self._wait()
        return self._ended

    def _wait(self) -> tuple[int, str]:
        code = self._process.wait()
        while self._thread.is_alive():  # it may wait for room in the queue
            with contextlib.suppress(queue.Empty):
                self._pieces.get(timeout=0.01)
        words = self._process.stderr.read().decode(errors="replace") if self._process.stderr else ""
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        return code, words

    def _has_ended(self) -> tuple[int, str]:
        """As `end`, for a process that closed its pipe."""
        if self._ended is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE_SECONDS)
                self._ended = self._wait()
        return self.end()

    def _last_word(self) -> str:
        code, words = self._has_ended()
        lines = words.strip().splitlines()
        return plain(lines[-1]) if lines else f"exit status {code}"

    def _gather(self, block: npt.NDArray[np.uint8], seconds: float) -> dict[str, Any]:
        """Copy what it sends into the block, until it sends its last message."""
        patience = launch.START_SECONDS
        while True:
            place, body = self._next(patience)
            if place == MESSAGE:
                return _parsed(body)
            if not 0 <= place <= len(block) - len(body):
                raise EOFError
            block[place : place + len(body)] = np.frombuffer(body, np.uint8)
            patience = seconds + _GRACE_SECONDS

    def _send(self, message: dict[str, Any]) -> None:
        pipe = self._process.stdin
        if pipe is None:
            raise EOFError
        try:
            pipe.write(json.dumps(message).encode() + b"\n")
            pipe.flush()
        except OSError as error:
            raise EOFError from error

    def _message(self, patience: float) -> dict[str, Any]:
        try:
            _, body = self._next(patience)
        except TimeoutError as error:
            raise SandboxError("the sandbox's worker does not answer", hint="run it again") from error
        return _parsed(body)

    def _next(self, patience: float) -> tuple[int, bytes]:
        try:
            piece = self._pieces.get(timeout=patience)
        except queue.Empty:
            raise TimeoutError from None
        if piece is None:
            raise EOFError
        return piece

    def _listen(self) -> None:
        """Until it has gone. Pipes cannot be waited for with a time limit everywhere, queues can."""
        pipe = self._process.stdout
        while pipe is not None and (piece := _read_piece(pipe)) is not None:
            self._pieces.put(piece)
        self._pieces.put(None)


def _read_piece(pipe: IO[bytes]) -> tuple[int, bytes] | None:
    head = pipe.read(PIECE.size)
    if len(head) < PIECE.size:
        return None
    place, size = PIECE.unpack(head)
    if size > _LARGEST_PIECE:
        return None
    body = pipe.read(size)
    return (place, body) if len(body) == size else None


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise EOFError  # noqa: TRY004 - to us it is as good as gone
    return message
