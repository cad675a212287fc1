"""What a forked child does: gives up what no program has a use for, locks itself, and runs one program.

By the time the program is parsed, the process has /dev/null, the end of a pipe for stack dumps and the block; limits
on memory, time and everything else that can be limited; and, at the level `locked`, hardly a system call. It ends by
`os._exit`, whatever happens.

A child is told what to run after it has done all that can be done before. So the server can fork one ahead while it
has nothing else to do, and a program that somebody has just saved waits neither for the fork nor for its page faults.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import fcntl
import functools
import gc
import json
import math
import mmap
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from readhead import language
from readhead.sandbox import canary, namespace, rlimits
from readhead.sandbox.block import OUT_OF_MEMORY, Layout, read_request
from readhead.sandbox.lock import lock
from readhead.sandbox.performance import Performance, caches_of

TRACE: Final = 3
"""A child's descriptor for stack dumps."""
_EAR: Final = 4
"""A child's descriptor for being told its program."""
_TURNS: Final = 4
"""A kept child's descriptor for taking turns with the server."""
TURN_TAKEN: Final = b"."
"""What a kept child answers."""
SPOILT: Final = b"!"
"""The same, from one that must take no other turn."""
_KEPT_SECONDS: Final = 3600.0
"""Processor time of a kept child in all."""
_FAILED: Final = 70
_POPULATE_BYTES: Final = 16 << 20
_POPULATE_WRITE: Final = 23
"""Linux's MADV_POPULATE_WRITE: one call instead of a page fault for every page."""
_PR_SET_PDEATHSIG: Final = 1
_TOUCHING: Final = """
def head(s):
    return softmax(2.0 * s.first + np.where(s.distance > 1, s.every, 0.5) + s.key.is_comma)
"""


@dataclass(frozen=True)
class Bounds:
    """What a child may have."""

    locked: bool
    """Whether system calls are given up."""
    memory: int
    """Bytes of address space beyond what the process has at its birth."""
    seconds: float
    """Processor time in all; the server's clock is the finer one."""


@dataclass(frozen=True)
class Stage:
    """What is there before the program is."""

    sentences: Sequence[language.Sentence]
    layout: Layout
    block: int


def run(stage: Stage, trace: int, ear: int, null: int, *, locked: bool, spare: bool) -> NoReturn:
    """Make ready, wait for a program, and run it over all sentences.

    Args:
        stage: what it is run on.
        trace: where stack dumps go.
        ear: where the program comes from; it is closed before anything of that is looked at.
        null: an open /dev/null.
        locked: whether system calls are given up.
        spare: there is time, for the program is still to be written.
    """

    def work() -> None:
        size = stage.layout.offsets[-1]
        block = mmap.mmap(stage.block, size)
        with contextlib.suppress(OSError, ValueError):
            block.madvise(_POPULATE_WRITE, 0, min(size, _POPULATE_BYTES))
        let_go((trace, ear), null)
        if spare:
            _touch(stage.sentences)
        with os.fdopen(_EAR, "rb") as told:
            request = json.loads(told.read() or b"null")
        if request is None:
            return  # the server has no use for it
        lock_in(Bounds(locked, request["memory"], request["seconds"] * (len(stage.sentences) + 1) + 2))
        performance = Performance(request["source"], namespace.prepared(), block)
        performance.define()
        performance.play(stage.sentences, stage.layout)

    end_after(work)


def request_to_run(source: str, seconds: float, memory: int) -> bytes:
    """What a child is told: a program, the processor time for one sequence, and bytes of address space."""
    return json.dumps({"source": source, "seconds": seconds, "memory": memory}).encode()


def _touch(sentences: Sequence[language.Sentence]) -> None:
    """Get copies of the memory that every run writes to, if only to count references, and run a program of ours."""
    for sentence in sentences:
        for cache in caches_of(sentence):
            for _ in cache.values():
                pass
    layout = Layout(tuple(sentence.n for sentence in sentences[:1]))
    performance = Performance(_TOUCHING, namespace.prepared(), bytearray(layout.offsets[-1]))
    performance.define()
    performance.play(sentences[:1], layout)


def keep(source: str, memory: int, block: int, trace: int, turns: int, null: int, *, locked: bool) -> NoReturn:
    """Run the program on one text whenever there is a byte to read, and answer with a byte.

    The text lies in the block, behind the weights. The file is run anew for every text, so that it finds what it would
    find in a child of its own. What it may have left behind beyond that, such as an open generator that has changed how
    numpy counts, the canary finds: then the answer is another byte, and the next text needs another child.
    """

    def work() -> None:
        shared = mmap.mmap(block, 0)
        give_up(Bounds(locked, memory, _KEPT_SECONDS), (trace, turns), null)
        performance = Performance(source, namespace.prepared(), shared)
        unspoilt = canary.answer(namespace.prepared())
        gc.collect()
        gc.freeze()  # collecting after each text need not look at what was there before
        answer = TURN_TAKEN
        while os.write(_TURNS, answer) and os.read(_TURNS, 1):
            surfaces, special = read_request(shared)
            performance.forget()
            performance.define()
            performance.play([language.Sentence(surfaces, special)], Layout((len(surfaces),)))
            gc.collect()
            answer = TURN_TAKEN if canary.answer(namespace.prepared()) == unspoilt else SPOILT

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
    """Descriptors, time, memory, processes and system calls; see `let_go` and `lock_in`."""
    let_go(kept, null)
    lock_in(bounds)


def let_go(kept: tuple[int, ...], null: int) -> None:
    """Give up descriptors, and have stack dumps written.

    Args:
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


def lock_in(bounds: Bounds) -> None:
    """Give up time, memory, processes and system calls."""
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
