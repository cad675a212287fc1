"""The process that runs programs: numpy and the program language, nothing else, and no secrets.

1. It starts with a clean environment, warms numpy up and waits for the texts, from which it builds the sentences.
2. For each program it first computes the vocabulary that the program names, once for all programs, and then forks.
3. The child gives up what it does not need, runs the program, and leaves weights and failures in its block.
4. The server watches the clock. At the deadline it has the child's stack written to the pipe between them, which works
   even inside one long C call, and kills it.

The server itself never runs a line of a program. Programs therefore cannot change one another's results.
"""

from __future__ import annotations

import builtins
import collections
import contextlib
import ctypes
import faulthandler
import functools
import gc
import importlib
import itertools
import json
import math
import mmap
import os
import resource
import selectors
import signal
import socket
import struct
import sys
import time
import types
import warnings
from dataclasses import dataclass, field
from operator import attrgetter, methodcaller
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np
import numpy.typing as npt

from readhead import language
from readhead.sandbox import policy
from readhead.sandbox.client import OUT_OF_MEMORY, Layout, receive, send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TRACE: Final = 3
"""The child's only descriptor besides /dev/null: the end of a pipe, for stack dumps."""
_LONGEST_TRACE: Final = 16384
_LONGEST_MESSAGE: Final = 400
"""A little more than is shown, so that the client sees where it cuts."""
_WARM_BYTES: Final = 256 << 20
"""What the vocabulary computed ahead may take."""
_PATIENCE: Final = 10.0
"""Wall-clock time a sequence may take, as a multiple of its processor time."""
_DUMP_SECONDS: Final = 0.25
_POPULATE_BYTES: Final = 16 << 20
_POPULATE_WRITE: Final = 23
"""Linux's MADV_POPULATE_WRITE: one call instead of a page fault for every page."""


# What a program finds


@functools.cache
def namespace() -> dict[str, Any]:
    """The globals of a program: the names of `policy`'s tables, and nothing that leads anywhere else.

    Made once by the server; each child has a copy of its own, as of everything.
    """
    modules = _modules()
    names: dict[str, Any] = {name: getattr(builtins, name) for name in policy.BUILTINS}
    names |= {"print": _print, "__import__": functools.partial(_import, modules)}
    prebound = {name: modules[module] for name, module in policy.PREBOUND.items() if module}
    return prebound | {
        "softmax": language.softmax,
        "normalize": language.normalize,
        "__name__": "program",
        "__builtins__": names,
    }


def _print(*_: object, **__: object) -> None:
    """Printing goes nowhere."""


def _modules() -> dict[str, types.SimpleNamespace]:
    """A small fresh stand-in for each module that may be imported."""
    modules = {
        path: types.SimpleNamespace(**_members(importlib.import_module(path), names))
        for path, names in policy.MODULES.items()
    }
    modules["numpy"].empty = np.zeros  # no stale memory, and the same result every time
    modules["numpy"].empty_like = np.zeros_like
    for path, module in modules.items():
        parent, _, name = path.rpartition(".")
        if parent in modules:
            setattr(modules[parent], name, module)
    modules["readhead"] = types.SimpleNamespace(language=modules["readhead.language"])
    return modules


def _members(module: types.ModuleType, names: frozenset[str]) -> dict[str, Any]:
    """Those that this version of the module has, and that are no modules themselves."""
    found = {name: getattr(module, name) for name in names if hasattr(module, name)}
    return {name: value for name, value in found.items() if not isinstance(value, types.ModuleType)}


def _import(
    modules: dict[str, types.SimpleNamespace],
    name: str,
    _globals: object = None,
    _locals: object = None,
    names: tuple[str, ...] | None = (),
    level: int = 0,
) -> types.SimpleNamespace:
    """The `__import__` of programs, whose own imports `policy` has checked.

    numpy's C code comes here too, for parts of numpy that are loaded already; it takes them from `sys.modules` and
    ignores what this returns.
    """
    if level == 0 and name in modules:
        return modules[name] if names else modules[name.partition(".")[0]]
    if name in sys.modules:
        return types.SimpleNamespace()
    raise ImportError(f"{name} cannot be imported")


def _warm_up() -> None:
    """Make numpy import what it imports lazily, a child could not open the files, and whatever else takes its time."""
    np.seterr(all="ignore")
    warnings.simplefilter("ignore")
    namespace()
    _c_library()
    for module in ("numpy.ma", "numpy.linalg", "unicodedata"):
        importlib.import_module(module)
    square = np.eye(2, dtype=np.float32)
    functions = [value for value in vars(namespace()["np"]).values() if callable(value)]
    for function, arguments in itertools.product(functions, ((square,), (square, square))):
        with contextlib.suppress(Exception):
            function(*(argument.copy() for argument in arguments))
    for name in policy.METHODS:
        with contextlib.suppress(Exception):
            getattr(square.copy(), name)()
    for show in (str, repr):
        show(square)
    warnings.filterwarnings("error", message="'where' used without 'out'")  # it would show stale memory


# The child


def _child(job: _Job, trace: int, null: int) -> NoReturn:
    """Run the program and end the process, whatever happens."""
    status = 70
    try:
        block = mmap.mmap(job.block, job.layout.offsets[-1])
        with contextlib.suppress(OSError, ValueError):
            block.madvise(_POPULATE_WRITE, 0, min(job.layout.offsets[-1], _POPULATE_BYTES))
        _give_up(job, trace, null)
        _Performance(job, block).run()
        status = 0
    except MemoryError:
        status = OUT_OF_MEMORY
    finally:
        os._exit(status)


def _give_up(job: _Job, trace: int, null: int) -> None:
    """Descriptors, time, memory and processes: everything that a program has no use for."""
    _die_with_parent()
    for descriptor in range(3):
        os.dup2(null, descriptor)
    os.dup2(trace, _TRACE)
    size = _address_space()
    os.closerange(_TRACE + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    faulthandler.enable(_TRACE, all_threads=False)
    faulthandler.register(signal.SIGUSR1, _TRACE, all_threads=False)
    seconds = math.ceil(job.seconds * (len(job.sentences) + 1)) + 2
    for limit, value in (
        (resource.RLIMIT_AS, size + job.memory if size else resource.RLIM_INFINITY),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # where the system's own limit is lower still
            resource.setrlimit(limit, (value, value))


def _die_with_parent() -> None:
    """Linux only: a child must not outlive a server that was killed."""
    if sys.platform == "linux":
        _c_library().prctl(1, signal.SIGKILL)


@functools.cache
def _c_library() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def _address_space() -> int:
    """Bytes of address space that this process has; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - pathlib would cost more than the read
            return int(file.read().split()[0]) * mmap.PAGESIZE
    except OSError:
        return 0


class _Performance:
    """One program over all sentences, in the child."""

    def __init__(self, job: _Job, block: mmap.mmap) -> None:
        self._job = job
        self._block = block
        layout = job.layout
        self._sequence = np.frombuffer(block, np.int64, 1, layout.SEQUENCE)
        self._began = np.frombuffer(block, np.float64, 1, layout.BEGAN)
        self._states = np.frombuffer(block, np.uint8, len(layout.sizes), layout.STATES)
        self._failures: dict[str, dict[str, Any]] = {}

    def run(self) -> None:
        """Leave weights, states and failures in the block."""
        gc.enable()
        head = self._define()
        if head is not None:
            self._play(head)
        self._write(self._job.layout.FINISHED, struct.pack("=q", 1))

    def _define(self) -> Callable[[language.Sentence], object] | None:
        self._began[0] = time.process_time()
        try:
            code = compile(self._job.source, policy.FILE_NAME, "exec", flags=policy.COMPILER_FLAGS, dont_inherit=True)
            names = dict(namespace())
            exec(code, names)  # noqa: S102 - what this process is for
            head: Callable[[language.Sentence], object] = names["head"]
        except BaseException as error:  # noqa: BLE001 - a program's failure is data
            self._note_error(error, None)
            return None
        return head

    def _play(self, head: Callable[[language.Sentence], object]) -> None:
        layout, offsets = self._job.layout, self._job.layout.offsets
        for index, (sentence, n) in enumerate(zip(self._job.sentences, layout.sizes, strict=True)):
            self._sequence[0] = index + 1
            self._began[0] = time.process_time()
            self._states[index] = 2
            target = np.frombuffer(self._block, np.float32, n * n, offsets[index]).reshape(n, n)
            try:
                with _forgetful(sentence):
                    problem = _store(head(sentence), target)
            except BaseException as error:  # noqa: BLE001 - as above
                if self._note_error(error, index) == "out of memory":
                    return
            else:
                if problem:
                    self._note("bad result", problem, index)
                else:
                    self._states[index] = 1

    def _note_error(self, error: BaseException, sequence: int | None) -> str:
        kind = "out of memory" if isinstance(error, MemoryError) else "error"
        line, column = _place(error, self._job.source)
        error.__traceback__ = None  # lets go of what the program's frames hold
        if kind not in self._failures:
            self._note(kind, _message(error), sequence, line=line, column=column)
        return kind

    def _note(self, kind: str, message: str, sequence: int | None, **place: int | None) -> None:
        if kind in self._failures:
            return
        self._failures[kind] = {"kind": kind, "message": message[:_LONGEST_MESSAGE], "sequence": sequence, **place}
        report = json.dumps(list(self._failures.values())).encode()
        self._write(self._job.layout.REPORT, report)
        self._write(self._job.layout.REPORT_SIZE, struct.pack("=q", len(report)))

    def _write(self, offset: int, data: bytes) -> None:
        self._block[offset : offset + len(data)] = data


@contextlib.contextmanager
def _forgetful(sentence: language.Sentence) -> Iterator[None]:
    """Let go of what a program had computed on a sentence, or a long corpus would fill the memory."""
    sides = (sentence, sentence.key, sentence.query, sentence.word)
    caches = [value for side in sides for value in vars(side).values() if isinstance(value, dict)]
    sizes = [len(cache) for cache in caches]
    try:
        yield
    finally:
        for cache, size in zip(caches, sizes, strict=True):
            while len(cache) > size:
                cache.popitem()  # the latest first


def _store(result: object, target: npt.NDArray[np.float32]) -> str:
    """Broadcast a program's result into the block; or else say what is wrong with it."""
    n = len(target)
    try:
        array = np.asarray(result)
    except (ValueError, TypeError):
        return f"expected [n, n] weights (here n = {n}), got {type(result).__name__} of uneven parts"
    if array.dtype.kind not in "biuf":
        return f"expected [n, n] weights (here n = {n}), got {_found(result, array.dtype)}"
    if array.ndim > 2 or any(length not in {1, n} for length in array.shape):  # noqa: PLR2004 - a matrix
        return f"expected [n, n] weights, or what broadcasts to them (here n = {n}), got shape {list(array.shape)}"
    np.copyto(target, array, casting="unsafe")
    return ""


def _found(result: object, dtype: np.dtype[Any]) -> str:
    if result is None or dtype.kind == "c":
        return "None" if result is None else "complex numbers"
    return f"array of {dtype.name}" if isinstance(result, np.ndarray) else type(result).__name__


def _place(error: BaseException, source: str) -> tuple[int | None, int | None]:
    """Line and column, in the program, of the innermost of its frames."""
    line = column = None
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename == policy.FILE_NAME:
            line = trace.tb_lineno
            position = next(itertools.islice(code.co_positions(), trace.tb_lasti // 2, None), (None,) * 4)
            column = _column(source, line, position[2])
        trace = trace.tb_next
    return line, column


def _column(source: str, line: int, offset: int | None) -> int | None:
    lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if offset is None or not 0 < line <= len(lines):
        return None
    return len(lines[line - 1].encode()[:offset].decode(errors="ignore")) + 1


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - the arguments are the program's
        text = ""
    return f"{type(error).__name__}: {text[:_LONGEST_MESSAGE]}" if text else type(error).__name__


# The server


@dataclass
class _Job:
    """A program that waits for its turn, or runs."""

    program: int
    source: str
    features: list[str]
    counted: list[tuple[str, float]]
    seconds: float
    memory: int
    block: int
    sentences: list[language.Sentence]
    layout: Layout


@dataclass
class _Running:
    """A child, as the server sees it."""

    job: _Job
    pid: int
    trace: int
    started: float
    check_at: float
    since: float
    """When the sequence in work was first seen."""
    sequence: int = 0
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

    def warm(self, features: list[str], counted: list[tuple[str, float]]) -> None:
        """Compute what a program is going to ask for; whatever goes wrong is the program's to meet."""
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
        self._most = os.cpu_count() or 1
        self._selector = selectors.DefaultSelector()
        self._selector.register(link, selectors.EVENT_READ)

    def serve(self) -> None:
        """Until the other side has gone."""
        while True:
            for key, _ in self._selector.select(self._until_next_check()):
                if key.fileobj is self._link:
                    self._obey()
                elif key.fd in self._running:
                    self._listen(self._running[key.fd])
            now = time.monotonic()
            for child in list(self._running.values()):
                if now >= child.check_at:
                    self._check(child, now)
            while self._waiting and len(self._running) < self._most:
                self._fork(self._waiting.popleft())

    def end(self) -> None:
        """Kill what runs."""
        for child in self._running.values():
            os.kill(child.pid, signal.SIGKILL)

    def _until_next_check(self) -> float | None:
        times = [child.check_at for child in self._running.values()]
        return max(min(times) - time.monotonic(), 0) if times else None

    def _obey(self) -> None:
        message, descriptors = receive(self._link)
        match message["op"]:
            case "load":
                self._load(message["texts"])
            case "run":
                self._waiting.append(
                    _Job(
                        message["program"],
                        message["source"],
                        message["features"],
                        [(name, k) for name, k in message["counted"]],
                        message["seconds"],
                        message["memory"],
                        descriptors[0],
                        self._sentences.all,
                        self._sentences.layout,
                    )
                )
            case "cancel":
                self._cancel(set(message["programs"]))

    def _load(self, texts: list[tuple[list[str], list[int]]]) -> None:
        try:
            self._sentences = _Sentences(texts)
        except Exception as error:  # noqa: BLE001 - the caller is told
            send(self._link, {"loaded": False, "error": _message(error)})
            return
        gc.collect()
        gc.freeze()
        send(self._link, {"loaded": True})

    def _cancel(self, programs: set[int]) -> None:
        for job in [job for job in self._waiting if job.program in programs]:
            self._waiting.remove(job)
            os.close(job.block)
        for child in self._running.values():
            if child.job.program in programs:
                os.kill(child.pid, signal.SIGKILL)

    def _fork(self, job: _Job) -> None:
        if job.sentences is self._sentences.all:
            self._sentences.warm(job.features, job.counted)
        reading, writing = os.pipe()
        started = time.monotonic()
        pid = os.fork()
        if pid == 0:
            _child(job, writing, self._null)
        os.close(writing)
        self._running[reading] = _Running(job, pid, reading, started, started + job.seconds, started)
        self._selector.register(reading, selectors.EVENT_READ)

    def _listen(self, child: _Running) -> None:
        """Take what the child's pipe brings: a piece of a stack dump, or its end."""
        piece = os.read(child.trace, 65536)
        if not piece:
            self._bury(child)
            return
        child.dump += piece[: _LONGEST_TRACE - len(child.dump)]
        if child.dumping:
            child.check_at = min(child.check_at, time.monotonic() + _DUMP_SECONDS / 10)

    def _check(self, child: _Running, now: float) -> None:
        if child.dumping:
            self._bury(child)
            return
        used, limit = self._time_used(child, now), child.job.seconds
        if used >= limit or now - child.since >= limit * _PATIENCE:
            os.kill(child.pid, signal.SIGUSR1)
            child.dumping = True
            child.check_at = now + _DUMP_SECONDS
        else:
            child.check_at = now + max(limit - used, 0.005)

    def _time_used(self, child: _Running, now: float) -> float:
        """Processor time that the child has spent on the sequence in work."""
        counters = os.pread(child.job.block, 16, Layout.SEQUENCE)
        sequence, began = struct.unpack("=qd", counters.ljust(16, b"\0"))
        if sequence != child.sequence:
            child.sequence, child.since = sequence, now
        spent = _processor_time(child.pid)
        if spent is None:
            return now - child.since
        return spent - began if 0 <= began <= spent else spent

    def _bury(self, child: _Running) -> None:
        """End a child that closed its only descriptor, which is dying, or whose time is over."""
        self._selector.unregister(child.trace)
        os.close(child.trace)
        del self._running[child.trace]
        os.kill(child.pid, signal.SIGKILL)
        _, status = os.waitpid(child.pid, 0)
        os.close(child.job.block)
        send(
            self._link,
            {
                "program": child.job.program,
                "code": os.waitstatus_to_exitcode(status),
                "timed_out": child.dumping,
                "limit": child.job.seconds,
                "trace": child.dump.decode(errors="replace"),
                "seconds": time.monotonic() - child.started,
            },
        )


def _processor_time(pid: int) -> float | None:
    """Of another process; None where the system does not tell."""
    try:
        return time.clock_gettime((~pid << 3) | 2)  # Linux's clock id for all threads of a process
    except OSError:
        return None


def main() -> None:
    """Serve on standard input, a socket, until it closes."""
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    _warm_up()
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
