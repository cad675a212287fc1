"""The trusted side of the sandbox: sends programs to the server and makes sense of what comes back.

The server is a process of its own, started on first use and again whenever it has died. Requests and replies are
length-prefixed JSON over a socket pair. The weights come back in a *block*: an anonymous file of the run's own, which
the program's child maps, and which is read here only after that child is dead. Its contents are untrusted: they are
bounds-checked, parsed as JSON, and never unpickled.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from readhead.errors import SandboxError
from readhead.sandbox import policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from readhead.tokens import Text

Kind = Literal["refused", "error", "bad result", "time-out", "crash", "out of memory"]
Weights = npt.NDArray[np.float32]

OUT_OF_MEMORY: Final = 77
"""Exit status of a child that had no memory left even to say so."""

_LONGEST_MESSAGE: Final = 200
_LONGEST_REPLY: Final = 1 << 30
_START_SECONDS: Final = 60.0
_END_SECONDS: Final = 2.0
_SERVE: Final = "import sys; sys.path += sys.argv[1:]; from readhead.sandbox.server import main; main()"
_PROGRAM_LINE: Final = re.compile(rf'File "{re.escape(policy.FILE_NAME)}", line (\d{{1,7}})')

_HINTS: Final[dict[str, str]] = {
    "bad result": "return an [n, n] array, or one of [n], [1, n], [n, 1], or a number",
    "time-out": "use relations and whole arrays instead of nested loops",
    "out of memory": "work with [n, n] arrays and nothing larger",
}


@dataclass(frozen=True)
class Limits:
    """How much a program may use."""

    seconds: float = 2.0
    """Processor time for one sequence."""
    memory_bytes: int = 1 << 30
    """Address space beyond what the server's own data takes."""


@dataclass(frozen=True)
class Failure:
    """Why a program gave no weights, for one sequence or for all that were left."""

    kind: Kind
    message: str
    """In one line, printable, at most 200 characters; made by the program, so text to show and nothing else."""
    code: str = ""
    """Of a refusal: the finding's."""
    line: int | None = None
    """In the program, from 1."""
    column: int | None = None
    """From 1, in characters."""
    hint: str = ""
    """What to do about it; may be empty."""
    sequence: int | None = None
    """Index of the text; None where the program failed before the first."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = {name: getattr(self, name) for name in ("kind", "code", "line", "column", "message", "hint")}
        return told if self.sequence is None else told | {"sequence": self.sequence}


@dataclass(frozen=True)
class Run:
    """What one program did on all texts."""

    weights: tuple[Weights | None, ...]
    """For each text the raw `[n, n]` weights, not masked, normalised or cleaned; None where it failed."""
    failures: tuple[Failure, ...]
    """The first of each kind, by sequence; empty if nothing failed."""
    failed: int
    """Number of texts without weights."""
    seconds: float
    """From the program's start to its end."""


@dataclass(frozen=True)
class Layout:
    """Where things lie in a block: counters, the report, one state a text, the weights."""

    sizes: tuple[int, ...]
    """Tokens in each text."""

    SEQUENCE: ClassVar = 0
    """int64: 1 + the index of the text in work, 0 before the first."""
    BEGAN: ClassVar = 8
    """float64: processor time of the child when it began that text."""
    REPORT_SIZE: ClassVar = 16
    """int64: bytes of the report."""
    FINISHED: ClassVar = 24
    """int64: 1 once the program has come to its end."""
    REPORT: ClassVar = 32
    """JSON: a list of failures."""
    STATES: ClassVar = 16384
    """uint8 a text: 0 not reached, 1 weights, 2 failed."""

    @property
    def offsets(self) -> tuple[int, ...]:
        """Of each text's weights, and of the end."""
        begin = -(-(self.STATES + len(self.sizes)) // 4096) * 4096
        return tuple(itertools.accumulate((4 * n * n for n in self.sizes), initial=begin))


# The wire


def send(link: socket.socket, message: object, descriptors: Iterable[int] = ()) -> None:
    """Send one message, with open files if need be."""
    body = json.dumps(message).encode()
    socket.send_fds(link, [struct.pack("!I", len(body))], list(descriptors))
    link.sendall(body)


def receive(link: socket.socket) -> tuple[Any, list[int]]:
    """The next message and the files that came with it.

    Raises:
        EOFError: if the other side has gone.
    """
    head, descriptors, _, _ = socket.recv_fds(link, 4, 1)
    head += _receive_exactly(link, 4 - len(head)) if head else b""
    if not head:
        raise EOFError
    (size,) = struct.unpack("!I", head)
    if size > _LONGEST_REPLY:
        raise EOFError
    return json.loads(_receive_exactly(link, size)), descriptors


def _receive_exactly(link: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = link.recv(min(size - len(parts), 1 << 20))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


def _new_block(size: int) -> int:
    """An anonymous file of `size` zero bytes; its descriptor."""
    if sys.platform == "linux":
        block = os.memfd_create("readhead-weights")
    else:
        with tempfile.TemporaryFile() as file:
            block = os.dup(file.fileno())
    os.ftruncate(block, size)
    return block


def _new_server() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """A server that has just been started, and the way to it."""
    ours, theirs = socket.socketpair()
    with theirs:
        server = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
            [sys.executable, "-s", "-S", "-P", "-c", _SERVE, *_import_paths()],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=_environment(),
            cwd="/",
            start_new_session=True,
        )
    return server, ours


def _import_paths() -> list[str]:
    """Where the server finds readhead and numpy: it starts without site-packages."""
    folders = (Path(policy.__file__).parents[2], Path(np.__file__).parents[1])
    return list(dict.fromkeys(str(folder.resolve()) for folder in folders))


def _environment() -> dict[str, str]:
    """The server's whole environment: nothing of the caller's but where its libraries are.

    `-I` would make Python ignore PYTHONHASHSEED, without which sets of strings change their order from run to run.
    """
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "PYTHONHOME") if name in os.environ}
    threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    return kept | dict.fromkeys(threads, "1") | {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}


# The sandbox


@dataclass
class _Ticket:
    """A program that was sent and has not been answered."""

    number: int
    source: str
    review: policy.Review
    texts: tuple[Text, ...]
    layout: Layout
    block: int = -1
    attempts: int = 0
    reply: dict[str, Any] = field(default_factory=dict)

    def close(self) -> None:
        if self.block >= 0:
            os.close(self.block)
        self.block = -1


class Sandbox:
    """Runs programs over texts, each in a process of its own; `with Sandbox() as sandbox: …`.

    Raises:
        SandboxError: where the system has no fork, or the server cannot be started.
    """

    isolation: str = "reduced: no system-call filter"
    """What stands between a program and the machine, to be shown beside results."""

    def __init__(self, *, limits: Limits = Limits()) -> None:
        if not hasattr(os, "fork"):
            raise SandboxError(
                "programs cannot be run safely on this system: it has no fork",
                hint="on Windows, run Readhead in WSL2",
            )
        self.limits = limits
        self._texts: tuple[Text, ...] = ()
        self._layout = Layout(())
        self._server: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None
        self._numbers = itertools.count(1)
        self._open: dict[int, _Ticket] = {}
        self._lock = threading.RLock()
        self._talking = False
        self._abandoned: list[int] = []

    def __enter__(self) -> Self:
        """The sandbox itself; the server starts when it is needed."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the server."""
        self.close()

    def close(self) -> None:
        """End the server and whatever it runs. A later call starts it again."""
        with self._lock:
            for ticket in self._open.values():
                ticket.close()
            self._open.clear()
            self._stop()

    def load(self, texts: Sequence[Text]) -> None:
        """Run later programs on these texts; replaces those that were loaded before."""
        with self._lock:
            self._texts = tuple(texts)
            self._layout = Layout(tuple(len(text.surfaces) for text in texts))
            try:
                self._exchange(self._load_texts)
            except BaseException:
                self._texts, self._layout = (), Layout(())
                raise

    def run(self, source: str) -> Run:
        """Run one program over all loaded texts."""
        with self._lock:
            return self._finish(self._begin(source))

    def run_many(self, sources: Sequence[str]) -> Iterator[Run]:
        """Run programs over all loaded texts, several at once; results come in the order of the sources."""
        ahead = 2 * (os.cpu_count() or 1)
        window: deque[_Ticket | Run] = deque()
        try:
            for source in sources:
                window.append(self._begin(source))
                if len(window) > ahead:
                    yield self._finish(window.popleft())
            while window:
                yield self._finish(window.popleft())
        finally:
            self._abandon([entry for entry in window if isinstance(entry, _Ticket)])

    # Programs

    def _begin(self, source: str) -> _Ticket | Run:
        """Check a program and send it off; a refused one is answered here."""
        review = policy.review(source)
        if review.findings:
            return self._refused(review)
        with self._lock:
            ticket = _Ticket(next(self._numbers), source, review, self._texts, self._layout)
            self._open[ticket.number] = ticket
            try:
                self._exchange(lambda: self._send_program(ticket))
            except BaseException:
                self._abandon([ticket])
                raise
            return ticket

    def _finish(self, entry: _Ticket | Run) -> Run:
        """Wait for a program's answer and read its block."""
        if isinstance(entry, Run):
            return entry
        with self._lock:
            try:
                while not entry.reply:
                    if entry.number not in self._open:
                        raise SandboxError("the sandbox was closed while it ran a program", hint="run it again")
                    self._exchange(self._receive_reply)
                return _read_run(entry)
            finally:
                self._abandon([entry])

    def _abandon(self, tickets: list[_Ticket]) -> None:
        """Have programs stopped whose results nobody waits for."""
        with self._lock:
            for ticket in tickets:
                if self._open.pop(ticket.number, None):
                    self._abandoned.append(ticket.number)
                ticket.close()
            # A generator may be collected at any moment, in the midst of a message too; then the next program tells.
            if self._abandoned and self._link is not None and not self._talking:
                self._exchange(self._send_abandoned)

    def _send_abandoned(self) -> None:
        numbers, self._abandoned = self._abandoned, []
        if numbers:
            send(self._connected(_START_SECONDS), {"op": "cancel", "programs": numbers})

    def _refused(self, review: policy.Review) -> Run:
        first = review.findings[0]
        failure = Failure("refused", first.message, first.code, first.line, first.column, first.hint)
        return Run((None,) * len(self._texts), (failure,), len(self._texts), 0.0)

    # The server

    def _exchange(self, talk: Callable[[], None]) -> None:
        """Talk to the server; if it turns out to have died, start another and send again what was open."""
        self._talking = True
        try:
            if self._link is None:
                self._start()
            else:
                talk()
        except (EOFError, ConnectionError):
            self._start()
        except TimeoutError as error:
            self._stop()
            raise SandboxError("the sandbox's server does not answer", hint="run it again") from error
        except BaseException:
            self._stop()  # a message may have been cut in two
            raise
        finally:
            self._talking = False

    def _start(self) -> None:
        """Start a server, load the texts, and send every program that has no answer."""
        words = self._stop()
        self._abandoned.clear()
        open_tickets = list(self._open.values())
        if any(ticket.attempts > 1 or ticket.texts is not self._texts for ticket in open_tickets):
            self.close()
            raise SandboxError(f"the sandbox's server died while it ran a program: {words}", hint="run it again")
        try:
            self._server, self._link = _new_server()
            self._load_texts()
            for ticket in open_tickets:
                self._send_program(ticket)
        except (EOFError, OSError) as error:
            raise SandboxError(
                f"the sandbox's server did not start: {self._stop() or error}", hint="run it again"
            ) from error

    def _stop(self) -> str:
        """End the server; the last line of what it had to complain about."""
        link, server = self._link, self._server
        self._link = self._server = None
        if link is not None:
            link.close()
        if server is None:
            return ""
        try:
            _, errors = server.communicate(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            _, errors = server.communicate()
        lines = errors.decode(errors="replace").strip().splitlines()
        return _plain(lines[-1]) if lines else f"exit status {server.returncode}"

    def _load_texts(self) -> None:
        link = self._connected(_START_SECONDS + len(self._texts))
        texts = [[text.surfaces, sorted(text.special)] for text in self._texts]
        send(link, {"op": "load", "texts": texts})
        while True:
            message, _ = receive(link)
            if "loaded" in message:
                break
            self._note_reply(message)
        if not message["loaded"]:
            raise SandboxError(f"the texts could not be read: {_plain(message['error'])}")

    def _send_program(self, ticket: _Ticket) -> None:
        self._send_abandoned()
        ticket.attempts += 1
        ticket.close()
        ticket.block = _new_block(ticket.layout.offsets[-1])
        request = {
            "op": "run",
            "program": ticket.number,
            "source": ticket.source,
            "features": sorted(ticket.review.features),
            "counted": sorted(ticket.review.counted),
            "seconds": self.limits.seconds,
            "memory": self.limits.memory_bytes,
        }
        send(self._connected(_START_SECONDS), request, [ticket.block])

    def _receive_reply(self) -> None:
        patience = _START_SECONDS + 12 * self.limits.seconds * (len(self._texts) + 1)
        message, _ = receive(self._connected(patience))
        self._note_reply(message)

    def _note_reply(self, message: dict[str, Any]) -> None:
        ticket = self._open.pop(message["program"], None)
        if ticket is not None:
            ticket.reply = message

    def _connected(self, patience: float) -> socket.socket:
        if self._link is None:
            raise EOFError  # `_exchange` starts a server
        self._link.settimeout(patience)
        return self._link


# Reading a block


def _read_run(ticket: _Ticket) -> Run:
    """What a dead child left behind."""
    layout, reply = ticket.layout, ticket.reply
    block = _read_block(ticket.block, layout.offsets[-1])
    states = block[layout.STATES : layout.STATES + len(layout.sizes)]
    weights = tuple(
        block[begin : begin + 4 * n * n].view(np.float32).reshape(n, n) if state == 1 else None
        for begin, n, state in zip(layout.offsets, layout.sizes, states, strict=False)
    )
    failures = _reported(block, ticket)
    ending = _ending(block, ticket)
    if ending is not None:
        failures.append(ending)
    failed = sum(matrix is None for matrix in weights)
    if failed and not failures:
        failures = [Failure("crash", "the program ended without a word")]
    return Run(weights, tuple(failures), failed, float(reply["seconds"]))


def _read_block(block: int, size: int) -> npt.NDArray[np.uint8]:
    """A copy of the block; what a child has cut off reads as zeros."""
    data = np.zeros(size, np.uint8)
    done = 0
    while done < size:
        count = os.preadv(block, [data[done:].data], done)
        if count == 0:
            break
        done += count
    return data


def _number(block: npt.NDArray[np.uint8], offset: int) -> int:
    return int(block[offset : offset + 8].view(np.int64)[0])


def _reported(block: npt.NDArray[np.uint8], ticket: _Ticket) -> list[Failure]:
    """The failures that the child wrote down, as far as they make sense."""
    layout = ticket.layout
    size = min(max(_number(block, layout.REPORT_SIZE), 0), layout.STATES - layout.REPORT)
    try:
        entries = json.loads(block[layout.REPORT : layout.REPORT + size].tobytes() or b"[]")
    except (ValueError, RecursionError):
        return []
    known = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return [_failure(entry, ticket) for entry in known[: len(get_args(Kind))] if entry.get("kind") in get_args(Kind)]


def _failure(entry: dict[str, Any], ticket: _Ticket) -> Failure:
    kind = entry["kind"]
    line = _bounded(entry.get("line"), 1, 1 << 20)
    return Failure(
        kind,
        _plain(entry.get("message")),
        line=ticket.review.result_line if kind == "bad result" else line,
        column=_bounded(entry.get("column"), 1, 1 << 20),
        hint=_HINTS.get(kind, ""),
        sequence=_bounded(entry.get("sequence"), 0, len(ticket.texts) - 1),
    )


def _bounded(value: object, low: int, high: int) -> int | None:
    return value if type(value) is int and low <= value <= high else None


def _plain(text: object) -> str:
    """A text of the program's as one line that is safe to show."""
    shown = "".join(c if c.isprintable() else " " for c in str(text)[: _LONGEST_MESSAGE + 1])
    return shown if len(shown) <= _LONGEST_MESSAGE else shown[: _LONGEST_MESSAGE - 1] + "…"


def _ending(block: npt.NDArray[np.uint8], ticket: _Ticket) -> Failure | None:
    """How the child ended before its time, if it did."""
    reply, layout = ticket.reply, ticket.layout
    code = int(reply["code"])
    if code == 0 and _number(block, layout.FINISHED) == 1:
        return None
    sequence = _bounded(_number(block, layout.SEQUENCE) - 1, 0, len(ticket.texts) - 1)
    found = _PROGRAM_LINE.search(str(reply["trace"]))
    line = int(found[1]) if found else None
    kind, message = _reason(reply, code, "on one sequence" if sequence is not None else "before the first sequence")
    return Failure(kind, message, line=line, hint=_HINTS.get(kind, ""), sequence=sequence)


def _reason(reply: dict[str, Any], code: int, where: str) -> tuple[Kind, str]:
    if reply["timed_out"] or code == -signal.SIGXCPU:
        return "time-out", f"took longer than {reply['limit']:g} s {where}"
    if code == OUT_OF_MEMORY:
        return "out of memory", "ran out of memory"
    if code == -signal.SIGKILL:
        return "out of memory", "was ended by the system, most likely for the memory it used"
    if code < 0:
        return "crash", f"crashed the interpreter ({signal.Signals(-code).name})"
    return "crash", f"ended the interpreter (exit status {code})"
