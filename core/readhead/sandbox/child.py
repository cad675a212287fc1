"""What a forked child does: gives up what no program has a use for, locks itself, and runs one program.

By the time the program is parsed, the process has /dev/null, the end of a pipe for stack dumps and the block; limits
on memory, time and everything else that can be limited; and, at the level `locked`, hardly a system call. It ends by
`os._exit`, whatever happens.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import fcntl
import functools
import gc
import math
import mmap
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from readhead import language
from readhead.sandbox import namespace, rlimits
from readhead.sandbox.block import OUT_OF_MEMORY, Layout, read_request
from readhead.sandbox.lock import lock
from readhead.sandbox.performance import Performance

TRACE: Final = 3
"""A child's descriptor for stack dumps."""
_TURNS: Final = 4
"""A kept child's descriptor for taking turns with the server."""
_KEPT_SECONDS: Final = 3600.0
"""Processor time of a kept child in all."""
_FAILED: Final = 70
_POPULATE_BYTES: Final = 16 << 20
_POPULATE_WRITE: Final = 23
"""Linux's MADV_POPULATE_WRITE: one call instead of a page fault for every page."""
_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True)
class Bounds:
    """What a child may have."""

    locked: bool
    """Whether system calls are given up."""
    memory: int
    """Bytes of address space beyond what the process has at its birth."""
    seconds: float
    """Processor time in all; the server's clock is the finer one."""


@dataclass
class Job:
    """A program and what it is run on."""

    program: int
    source: str
    features: list[str]
    counted: list[tuple[str, float]]
    seconds: float
    """Processor time for one sequence."""
    memory: int
    block: int
    sentences: Sequence[language.Sentence]
    layout: Layout

    def bounds(self, *, locked: bool) -> Bounds:
        """Of the child that does it."""
        return Bounds(locked, self.memory, self.seconds * (len(self.sentences) + 1) + 2)


def run(job: Job, trace: int, null: int, *, locked: bool) -> NoReturn:
    """Run the program over all sentences."""

    def work() -> None:
        size = job.layout.offsets[-1]
        block = mmap.mmap(job.block, size)
        with contextlib.suppress(OSError, ValueError):
            block.madvise(_POPULATE_WRITE, 0, min(size, _POPULATE_BYTES))
        give_up(job.bounds(locked=locked), (trace,), null)
        performance = Performance(job.source, namespace.prepared(), block)
        performance.define()
        performance.play(job.sentences, job.layout)

    end_after(work)


def keep(job: Job, trace: int, turns: int, null: int, *, locked: bool) -> NoReturn:
    """Define the program, then run it on one text whenever there is a byte to read, and answer with a byte.

    The text lies in the block, behind the weights.
    """

    def work() -> None:
        block = mmap.mmap(job.block, 0)
        give_up(Bounds(locked, job.memory, _KEPT_SECONDS), (trace, turns), null)
        performance = Performance(job.source, namespace.prepared(), block)
        performance.define()
        if not performance.is_defined:
            performance.play([], Layout(()))
            return
        while os.write(_TURNS, b".") and os.read(_TURNS, 1):
            surfaces, special = read_request(block)
            performance.forget()
            performance.play([language.Sentence(surfaces, special)], Layout((len(surfaces),)))

    end_after(work)


def end_after(work: Callable[[], None]) -> NoReturn:
    """Do it, then end the process; nothing that the server would do at its own end is done."""
    status = _FAILED
    try:
        work()
        status = 0
    except MemoryError:
        status = OUT_OF_MEMORY
    finally:
        os._exit(status)


def warm_up() -> None:
    """Make ready, in the server, what every child needs."""
    namespace.warm_up()
    namespace.prepared()
    _c_library()


def give_up(bounds: Bounds, kept: tuple[int, ...], null: int) -> None:
    """Descriptors, time, memory, processes and system calls.

    Args:
        bounds: what is left.
        kept: descriptors to keep, as 3, 4, …; the first takes stack dumps.
        null: an open /dev/null.
    """
    _die_with_parent()
    out_of_the_way = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 64) for descriptor in kept]
    for descriptor in range(TRACE):
        os.dup2(null, descriptor)
    for descriptor, copy in enumerate(out_of_the_way, TRACE):
        os.dup2(copy, descriptor)
    os.closerange(TRACE + len(kept), rlimits.most_descriptors())
    faulthandler.enable(TRACE, all_threads=False)
    faulthandler.register(signal.SIGUSR1, TRACE, all_threads=False)
    rlimits.limit_memory(bounds.memory)
    rlimits.limit(CPU=math.ceil(bounds.seconds), NPROC=0, NOFILE=0, FSIZE=0, CORE=0)
    if bounds.locked:
        lock()
    gc.enable()


def _die_with_parent() -> None:
    """Linux only: a child must not outlive a server that was killed."""
    if sys.platform == "linux":
        _c_library().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@functools.cache
def _c_library() -> ctypes.CDLL:
    return ctypes.CDLL(None)
