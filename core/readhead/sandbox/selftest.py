"""Whether the lock holds on this machine: a child tries what it must not be able to do, and what it must."""

from __future__ import annotations

import _thread
import errno
import math
import mmap
import os
import re
import resource
import select
import signal
import socket
import time
from collections.abc import Callable
from typing import Final

import numpy as np

from readhead.sandbox import child

_SECONDS: Final = 10.0
_HOLDS: Final = b"the lock holds"
_BOUNDS: Final = child.Bounds(locked=True, memory=1 << 30, seconds=_SECONDS)


def complaint() -> str:
    """What is wrong with the lock; empty if it holds."""
    reading, writing = os.pipe()
    null = os.open(os.devnull, os.O_RDWR)
    pid = os.fork()
    if pid == 0:
        child.end_after(lambda: _try_everything(writing, null))
    os.close(writing)
    os.close(null)
    try:
        said = _hear(reading)
    finally:
        os.close(reading)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    if said == _HOLDS:
        return ""
    return said.decode(errors="replace") or "the self-test of the system-call filter ended without a word"


def _hear(reading: int) -> bytes:
    ready, _, _ = select.select([reading], [], [], _SECONDS)
    return os.read(reading, 4096) if ready else b"the self-test of the system-call filter does not end"


def _try_everything(trace: int, null: int) -> None:
    try:
        child.give_up(_BOUNDS, (trace,), null)
    except OSError as error:
        os.write(child.TRACE, (error.strerror or str(error)).encode())
        return
    os.write(child.TRACE, _verdict().encode())


def _verdict() -> str:
    for name, attempt in _FORBIDDEN.items():
        if not _is_refused(attempt):
            return f"the system-call filter lets {name} through"
    for name, attempt in _NEEDED.items():
        try:
            attempt()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            return f"the system-call filter breaks {name} ({error})"
    return _HOLDS.decode()


def _is_refused(attempt: Callable[[], object]) -> bool:
    """By the filter and nothing else: the limits alone would give other errors."""
    try:
        attempt()
    except OSError as error:
        return error.errno == errno.EPERM
    except (RuntimeError, ValueError):  # what Python makes of it for a thread, and for a limit
        return True
    return False


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


_FORBIDDEN: Final[dict[str, Callable[[], object]]] = {
    "open": lambda: os.open("/", os.O_RDONLY),
    "stat": lambda: os.stat("/"),  # noqa: PTH116 - the call itself is tried
    "unlink": lambda: os.unlink("/nowhere/at/all"),  # noqa: PTH108 - as above
    "socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "socketpair": socket.socketpair,
    "pipe": os.pipe,
    "dup": lambda: os.dup(child.TRACE),
    "close": lambda: os.close(child.TRACE),
    "kill": lambda: os.kill(os.getppid(), 0),
    "setrlimit": lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
    "sleep": lambda: time.sleep(0.0001),
    "executable memory": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC),
    "fork": _fork,
    "threads": lambda: _thread.start_new_thread(lambda: None, ()),
    "exec": lambda: os.execv("/bin/true", ["true"]),  # noqa: S606 - as above; last, because it would not return
}


def _compute() -> None:
    square = np.arange(128.0 * 128).reshape(128, 128) / 1e4 + np.eye(128)
    if not np.allclose(square @ np.linalg.inv(square), np.eye(128), atol=1e-4):
        raise ArithmeticError("a wrong product")


def _allocate() -> None:
    if np.ones(1 << 23).sum() != 1 << 23:  # 64 MB
        raise ArithmeticError("a wrong sum")


_NEEDED: Final[dict[str, Callable[[], object]]] = {
    "numpy": _compute,
    "memory": _allocate,
    "regular expressions": lambda: re.sub(r"\d+", str, "a12"),
    "clocks": lambda: math.fsum((time.process_time(), time.monotonic())),
    "randomness": lambda: os.urandom(8),
}
