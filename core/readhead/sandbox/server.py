"""The process that runs programs: numpy and the program language, nothing else, and no secrets.

1. It starts with a clean environment, warms numpy up, tests the lock, and waits for the texts, from which it builds
   the sentences.
2. For each program it first computes the vocabulary that the program names, once for all programs, and then forks;
   or it takes the *spare*, a child that it has forked ahead when there was nothing to do.
3. The child gives up what it does not need, runs the program, and leaves weights and failures in its block.
4. The server watches the clock. At the deadline it has the child's stack written to the pipe between them, which works
   even inside one long C call, and kills it. The block goes to the caller once the child is dead.

A *kept* child runs one program on a text whenever it is called, and waits in between, its clock stopped.

The server itself never runs a line of a program. Programs therefore cannot change one another's results.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import gc
import math
import os
import selectors
import signal
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter, methodcaller
from typing import Any, Final

from readhead import language
from readhead.sandbox import child, selftest
from readhead.sandbox.block import Layout, new_block, program_place
from readhead.sandbox.performance import message_of
from readhead.sandbox.wire import receive, send

_LONGEST_TRACE: Final = 16384
_WARM_BYTES: Final = 256 << 20
"""What the vocabulary computed ahead may take."""
_PATIENCE: Final = 10.0
"""Wall-clock time a sequence may take, as a multiple of its processor time."""
_DUMP_SECONDS: Final = 0.25
_NAP_SECONDS: Final = 0.01
"""A child that sleeps so long past its first deadline sleeps for good: it has nothing to wait for."""


@dataclass
class _Job:
    """A program and what it is run on."""

    program: int
    source: str
    features: list[str]
    counted: list[tuple[str, float]]
    seconds: float
    """Processor time for one sequence."""
    memory: int
    sentences: _Sentences


@dataclass(frozen=True)
class _Child:
    """A process that was forked and has no program yet."""

    pid: int
    trace: int
    """Where its stack dumps are read."""
    ear: socket.socket
    """Where it is told its program."""
    block: int

    def tell(self, job: _Job) -> bool:
        """Have it run a program; whether it took it."""
        with self.ear, contextlib.suppress(ConnectionError):  # it has died
            self.ear.sendall(child.request_to_run(job.source, job.seconds, job.memory))
            return True
        return False


@dataclass
class _Running:
    """A child with a program, as the server sees it."""

    job: _Job
    pid: int
    trace: int
    block: int
    started: float = field(default_factory=time.monotonic)
    check_at: float = field(default_factory=time.monotonic)
    """When to look at the time that it has used; never, while a kept child waits."""
    since: float = field(default_factory=time.monotonic)
    """When the sequence in work was first seen."""
    sequence: int = 0
    turns: socket.socket | None = None
    """Of a kept child: the way to wake it and to be answered."""
    used_before: float = 0.0
    """Of a kept child: the processor time that it had spent when its turn began."""
    asleep: bool = False
    dumping: bool = False
    dump: bytearray = field(default_factory=bytearray)


class _Sentences:
    """The texts of a session, and which of their vocabulary is computed already."""

    def __init__(self, texts: list[tuple[list[str], list[int]]]) -> None:
        self.all = [language.Sentence(surfaces, special) for surfaces, special in texts]
        self.layout = Layout(tuple(sentence.n for sentence in self.all))
        self._square_bytes = sum(4 * sentence.n**2 for sentence in self.all)
        self._left = _WARM_BYTES
        self._known: set[object] = set()

    def warm(self, features: list[str], counted: list[tuple[str, float]]) -> bool:
        """Compute what a program is going to ask for, and say whether anything was new.

        Whatever goes wrong is the program's to meet.
        """
        known = len(self._known)
        for name in features:
            kind = _KINDS.get(name)
            if kind == "relation":
                self._compute(name, self._square_bytes, attrgetter(name))
            elif kind == "feature":
                self._compute(name, 0, attrgetter(name, f"key.{name}", f"query.{name}"))
                if "word" in features:
                    self._compute(("word", name), self._square_bytes, attrgetter(f"word.{name}"))
        for name, k in counted:
            self._compute((name, k), self._square_bytes, methodcaller(name, k))
        return len(self._known) > known

    def _compute(self, key: object, size: int, compute: Callable[[language.Sentence], object]) -> None:
        if key in self._known or size > self._left:
            return
        self._known.add(key)
        self._left -= size
        with contextlib.suppress(Exception):
            for sentence in self.all:
                compute(sentence)


_KINDS: Final = {term.name.removeprefix("s."): term.kind for term in language.VOCABULARY}


class _Server:
    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._null = os.open(os.devnull, os.O_RDWR)
        self._sentences = _Sentences([])
        self._waiting: collections.deque[_Job] = collections.deque()
        self._running: dict[int, _Running] = {}
        self._spare: _Child | None = None
        self._wants_spare = False
        self._most = len(os.sched_getaffinity(0))
        self._locked = True
        self._selector = selectors.DefaultSelector()
        self._selector.register(link, selectors.EVENT_READ, self._obey)

    def serve(self) -> None:
        """Until the other side has gone."""
        while True:
            events = self._selector.select(self._until_next_check())
            for key, _ in events:
                key.data()
            now = time.monotonic()
            for running in list(self._running.values()):
                if now >= running.check_at:
                    self._check(running, now)
            while self._waiting and self._busy() < self._most:
                self._run(self._waiting.popleft())
            if not events and self._wants_spare and self._is_idle():
                self._make_spare()

    def end(self) -> None:
        """Kill what runs."""
        self._drop_spare()
        for running in self._running.values():
            os.kill(running.pid, signal.SIGKILL)
            os.waitpid(running.pid, 0)

    def _until_next_check(self) -> float | None:
        if self._wants_spare and self._is_idle():
            return 0
        times = [running.check_at for running in self._running.values()]
        first = min(times, default=math.inf)
        return None if first == math.inf else max(first - time.monotonic(), 0)

    def _is_idle(self) -> bool:
        return not self._waiting and not self._busy()

    def _busy(self) -> int:
        return sum(running.turns is None for running in self._running.values())

    def _obey(self) -> None:
        message, descriptors = receive(self._link)
        match message["op"]:
            case "start":
                self._choose(message["level"])
            case "load":
                self._load(message["texts"])
            case "run":
                self._waiting.append(self._job(message))
            case "keep":
                self._fork_kept(self._job(message), descriptors[0])
            case "call":
                self._call(message["program"])
            case "cancel":
                self._cancel(set(message["programs"]))

    def _job(self, message: dict[str, Any]) -> _Job:
        return _Job(
            message["program"],
            message["source"],
            message["features"],
            [(name, k) for name, k in message["counted"]],
            message["seconds"],
            message["memory"],
            self._sentences,
        )

    def _choose(self, level: str) -> None:
        """Lock the children unless that is not wanted or does not work, and say so."""
        complaint = selftest.complaint() if level != "fork" else "without a system-call filter, as the level asks"
        self._locked = not complaint
        send(self._link, {"complaint": complaint})

    def _load(self, texts: list[tuple[list[str], list[int]]]) -> None:
        try:
            self._sentences = _Sentences(texts)
        except Exception as error:  # noqa: BLE001 - the caller is told
            send(self._link, {"loaded": False, "error": message_of(error)})
            return
        self._drop_spare()
        # Sentences refer to themselves: once frozen, those of the texts before would never be freed.
        gc.collect()
        send(self._link, {"loaded": True})

    def _cancel(self, programs: set[int]) -> None:
        for job in [job for job in self._waiting if job.program in programs]:
            self._waiting.remove(job)
        for running in self._running.values():
            if running.job.program in programs:
                os.kill(running.pid, signal.SIGKILL)

    def _run(self, job: _Job) -> None:
        if job.sentences is self._sentences and job.sentences.warm(job.features, job.counted):
            self._drop_spare()  # it would have to compute that itself
        ready = self._spare
        if ready is not None and ready.tell(job):
            self._selector.unregister(ready.trace)
            self._spare = None
        else:
            self._drop_spare()
            ready = self._fork(job.sentences, spare=False)
            ready.tell(job)  # if it is dying, it is buried
        self._watch(_Running(job, ready.pid, ready.trace, ready.block))

    def _fork(self, sentences: _Sentences, *, spare: bool) -> _Child:
        """A child that waits for its program."""
        block = new_block(sentences.layout.offsets[-1])
        reading, writing = os.pipe()
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            stage = child.Stage(sentences.all, sentences.layout, block)
            child.run(stage, writing, theirs.fileno(), self._null, locked=self._locked, spare=spare)
        os.close(writing)
        theirs.close()
        return _Child(pid, reading, ours, block)

    def _make_spare(self) -> None:
        """Have a child ready for the next program; at most once for each that has run, whatever becomes of it."""
        self._wants_spare = False
        if self._spare is None:
            self._spare = self._fork(self._sentences, spare=True)
            self._selector.register(self._spare.trace, selectors.EVENT_READ, self._drop_spare)  # it has died

    def _drop_spare(self) -> None:
        spare, self._spare = self._spare, None
        if spare is not None:
            self._selector.unregister(spare.trace)
            spare.ear.close()
            os.close(spare.trace)
            os.close(spare.block)
            os.kill(spare.pid, signal.SIGKILL)
            os.waitpid(spare.pid, 0)

    def _fork_kept(self, job: _Job, block: int) -> None:
        reading, writing = os.pipe()
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            child.keep(job.source, job.memory, block, writing, theirs.fileno(), self._null, locked=self._locked)
        os.close(writing)
        theirs.close()
        running = _Running(job, pid, reading, block, turns=ours)
        self._selector.register(ours, selectors.EVENT_READ, functools.partial(self._hear_turn, running))
        self._watch(running)

    def _watch(self, running: _Running) -> None:
        self._running[running.trace] = running
        self._selector.register(running.trace, selectors.EVENT_READ, functools.partial(self._listen, running))
        running.check_at += running.job.seconds

    def _call(self, program: int) -> None:
        """Have a kept child take its turn; its clock starts."""
        for running in self._running.values():
            if running.job.program == program and running.turns is not None:
                running.used_before = _processor_time(running.pid) or 0.0
                running.started = running.since = time.monotonic()
                running.check_at = running.started + running.job.seconds
                with contextlib.suppress(OSError):  # it is dying: then it is buried
                    running.turns.send(b".", socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
                return
        self._reply(program, code=-signal.SIGKILL)

    def _hear_turn(self, running: _Running) -> None:
        """A kept child has taken its turn, or is dying; its clock stops."""
        if running.turns is None or not self._is_watched(running):
            return
        answer = b""
        with contextlib.suppress(OSError):
            answer = running.turns.recv(16, socket.MSG_DONTWAIT)
        if answer not in {child.TURN_TAKEN, child.SPOILT}:
            self._selector.unregister(running.turns)  # its pipe tells the rest
        elif not running.dumping and running.check_at < math.inf:
            running.check_at = math.inf
            seconds = time.monotonic() - running.started
            self._reply(running.job.program, kept=True, spoilt=answer == child.SPOILT, seconds=seconds)

    def _is_watched(self, running: _Running) -> bool:
        """Whether it is not buried yet: of two of its events at once the first may do that."""
        return self._running.get(running.trace) is running

    def _listen(self, running: _Running) -> None:
        """Take what the child's pipe brings: a piece of a stack dump, or its end."""
        if not self._is_watched(running):
            return
        piece = os.read(running.trace, 65536)
        if not piece:
            self._bury(running)
            return
        running.dump += piece[: _LONGEST_TRACE - len(running.dump)]
        if running.dumping:
            running.check_at = min(running.check_at, time.monotonic() + _DUMP_SECONDS / 10)

    def _check(self, running: _Running, now: float) -> None:
        if running.dumping:
            self._bury(running)
            return
        used, limit = self._time_used(running, now), running.job.seconds
        slept, running.asleep = running.asleep, _is_asleep(running.pid)
        if used >= limit or now - running.since >= limit * _PATIENCE or (slept and running.asleep):
            os.kill(running.pid, signal.SIGUSR1)
            running.dumping = True
            running.check_at = now + _DUMP_SECONDS
        else:
            running.check_at = now + (_NAP_SECONDS if running.asleep else max(limit - used, 0.005))

    def _time_used(self, running: _Running, now: float) -> float:
        """Processor time that the child has spent on the sequence in work."""
        spent = _processor_time(running.pid)
        if spent is None:
            return now - running.since
        if running.turns is not None:
            return spent - running.used_before
        counters = os.pread(running.block, 16, Layout.SEQUENCE)
        sequence, began = struct.unpack("=qd", counters.ljust(16, b"\0"))
        if sequence != running.sequence:
            running.sequence, running.since = sequence, now
        return spent - began if 0 <= began <= spent else spent

    def _bury(self, running: _Running) -> None:
        """End a child that closed its only descriptor, which is dying, or whose time is over."""
        self._selector.unregister(running.trace)
        os.close(running.trace)
        del self._running[running.trace]
        os.kill(running.pid, signal.SIGKILL)
        _, status = os.waitpid(running.pid, 0)
        if running.turns is None:
            self._wants_spare = True
        else:
            with contextlib.suppress(KeyError):  # heard its end before
                self._selector.unregister(running.turns)
            running.turns.close()
        self._reply(
            running.job.program,
            code=os.waitstatus_to_exitcode(status),
            timed_out=running.dumping,
            limit=running.job.seconds,
            trace=program_place(running.dump.decode(errors="replace")),
            seconds=time.monotonic() - running.started,
            block=running.block if running.turns is None else None,
        )
        os.close(running.block)

    def _reply(
        self,
        program: int,
        *,
        seconds: float = 0.0,
        code: int = 0,
        limit: float = 0.0,
        timed_out: bool = False,
        trace: str = "",
        kept: bool = False,
        spoilt: bool = False,
        block: int | None = None,
    ) -> None:
        """Tell how a program ended, with its block, or that a kept one, whose block is the caller's, took its turn."""
        ending = {"code": code, "seconds": seconds, "limit": limit, "timed_out": timed_out, "trace": trace}
        descriptors = [] if block is None else [block]
        send(self._link, {"program": program, "kept": kept, "spoilt": spoilt, "ending": ending}, descriptors)


def _processor_time(pid: int) -> float | None:
    """Of another process; None where the system does not tell."""
    try:
        return time.clock_gettime((~pid << 3) | 2)  # Linux's clock id for all threads of a process
    except OSError:
        return None


def _is_asleep(pid: int) -> bool:
    """Whether a process waits for an event or is stopped, rather than for the processor or the disk."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - as in `rlimits`
        return file.read().rpartition(b")")[2][1:2] in {b"S", b"T"}
    return False


def main() -> None:
    """Serve on standard input, a socket, until it closes."""
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    child.warm_up()
    gc.collect()
    gc.freeze()
    gc.disable()
    with socket.socket(fileno=os.dup(0)) as link:
        server = _Server(link)
        try:
            server.serve()
        except (EOFError, ConnectionError):
            pass
        finally:
            server.end()
