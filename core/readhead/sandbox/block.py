"""What a program leaves behind, and how it is read.

A *block* is a piece of memory that a program's process can write and ours can read. Its contents are untrusted: they
are bounds-checked, parsed as JSON, and never unpickled.
"""

from __future__ import annotations

import itertools
import json
import mmap
import os
import re
import signal
from dataclasses import dataclass
from typing import Any, ClassVar, Final, get_args

import numpy as np
import numpy.typing as npt

from readhead.errors import SandboxError
from readhead.sandbox import policy
from readhead.sandbox.results import Failure, Kind, Run
from readhead.tokens import Text

OUT_OF_MEMORY: Final = 77
"""Exit status of a child that had no memory left even to say so."""

_LONGEST_MESSAGE: Final = 200
_PROGRAM_LINE: Final = re.compile(rf'File "{re.escape(policy.FILE_NAME)}", line (\d{{1,7}})')

_HINTS: Final[dict[str, str]] = {
    "bad result": "return an [n, n] array, or one of [n], [1, n], [n, 1], or a number",
    "time-out": "use relations and whole arrays instead of nested loops",
    "out of memory": "work with [n, n] arrays and nothing larger",
}


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


@dataclass(frozen=True)
class Ending:
    """How a program's process ended, as whoever watched it tells."""

    code: int
    """Exit status; negative for a signal."""
    seconds: float
    """From the program's start to its end."""
    limit: float
    """The time limit for one sequence."""
    timed_out: bool = False
    trace: str = ""
    """Stack dump, written as the process died."""


def new_block(size: int) -> int:
    """An anonymous file of `size` zero bytes, on Linux; its descriptor."""
    block = os.memfd_create("readhead-weights")
    os.ftruncate(block, size)
    return block


# What a kept child is asked, in a block for the longest text

LONGEST_KEPT: Final = 4096
"""Tokens in a text that a kept program is called with."""
_REQUEST: Final = Layout((LONGEST_KEPT,)).offsets[-1]
_REQUEST_BYTES: Final = 4 << 20


def new_kept_block() -> int:
    """As `new_block`; what is not used of it takes no memory."""
    return new_block(_REQUEST + _REQUEST_BYTES)


def write_request(block: int, text: Text) -> None:
    """Leave a text for a kept child.

    Raises:
        SandboxError: if it is too long.
    """
    body = json.dumps([text.surfaces, sorted(text.special)]).encode()
    if len(text.surfaces) > LONGEST_KEPT or len(body) > _REQUEST_BYTES - 8:
        raise SandboxError(f"the text is too long to keep a program for: more than {LONGEST_KEPT} tokens")
    os.pwrite(block, len(body).to_bytes(8, "little") + body, _REQUEST)


def read_request(block: mmap.mmap) -> tuple[list[str], list[int]]:
    """The surfaces and special positions of the text that was left."""
    size = int.from_bytes(block[_REQUEST : _REQUEST + 8], "little")
    surfaces, special = json.loads(block[_REQUEST + 8 : _REQUEST + 8 + size])
    return surfaces, special


def read_run(block: npt.NDArray[np.uint8], layout: Layout, ending: Ending, review: policy.Review) -> Run:
    """What a program left in a block that it can write no more, or in a copy of one."""
    states = block[layout.STATES : layout.STATES + len(layout.sizes)]
    weights = tuple(
        block[begin : begin + 4 * n * n].view(np.float32).reshape(n, n) if state == 1 else None
        for begin, n, state in zip(layout.offsets, layout.sizes, states, strict=False)
    )
    failures = _reported(block, layout, review)
    last = _last_failure(block, layout, ending, review)
    if last is not None:
        failures.append(last)
    failed = sum(matrix is None for matrix in weights)
    if failed and not failures:
        failures = [Failure("crash", "the program ended without a word")]
    return Run(weights, tuple(failures), failed, ending.seconds)


def read_block(block: int, size: int) -> npt.NDArray[np.uint8]:
    """A copy of the block; what a child has cut off reads as zeros."""
    data = np.zeros(size, np.uint8)
    done = 0
    while done < size:
        count = os.preadv(block, [data[done:].data], done)
        if count == 0:
            break
        done += count
    return data


def program_place(trace: str) -> str:
    """What a stack dump says of the innermost of the program's frames; replies are short, or they would pile up."""
    found = _PROGRAM_LINE.search(trace)
    return found[0] if found else ""


def _number(block: npt.NDArray[np.uint8], offset: int) -> int:
    return int(block[offset : offset + 8].view(np.int64)[0])


def _reported(block: npt.NDArray[np.uint8], layout: Layout, review: policy.Review) -> list[Failure]:
    """The failures that the child wrote down, as far as they make sense."""
    size = min(max(_number(block, layout.REPORT_SIZE), 0), layout.STATES - layout.REPORT)
    try:
        entries = json.loads(block[layout.REPORT : layout.REPORT + size].tobytes() or b"[]")
    except (ValueError, RecursionError):
        return []
    known = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return [
        _failure(entry, layout, review) for entry in known[: len(get_args(Kind))] if entry.get("kind") in get_args(Kind)
    ]


def _failure(entry: dict[str, Any], layout: Layout, review: policy.Review) -> Failure:
    kind = entry["kind"]
    line = _bounded(entry.get("line"), 1, review.lines)
    return Failure(
        kind,
        plain(entry.get("message")),
        line=review.result_line if kind == "bad result" else line,
        column=_bounded(entry.get("column"), 1, 1 << 20),
        hint=_HINTS.get(kind, ""),
        sequence=_bounded(entry.get("sequence"), 0, len(layout.sizes) - 1),
    )


def _bounded(value: object, low: int, high: int) -> int | None:
    return value if type(value) is int and low <= value <= high else None


def plain(text: object) -> str:
    """A text of the program's as one line that is safe to show."""
    shown = "".join(c if c.isprintable() else " " for c in str(text)[: _LONGEST_MESSAGE + 1])
    return shown if len(shown) <= _LONGEST_MESSAGE else shown[: _LONGEST_MESSAGE - 1] + "…"


def _last_failure(
    block: npt.NDArray[np.uint8], layout: Layout, ending: Ending, review: policy.Review
) -> Failure | None:
    """How the process ended before its time, if it did."""
    if ending.code == 0 and not ending.timed_out and _number(block, layout.FINISHED) == 1:
        return None
    sequence = _bounded(_number(block, layout.SEQUENCE) - 1, 0, len(layout.sizes) - 1)
    found = _PROGRAM_LINE.search(ending.trace)
    # A stack that is written while the program goes on may name a line that there is not.
    line = _bounded(int(found[1]), 1, review.lines) if found else None
    kind, message = _reason(ending, "on one sequence" if sequence is not None else "before the first sequence")
    return Failure(kind, message, line=line, hint=_HINTS.get(kind, ""), sequence=sequence)


def _reason(ending: Ending, where: str) -> tuple[Kind, str]:
    code = ending.code
    if ending.timed_out or (hasattr(signal, "SIGXCPU") and code == -signal.SIGXCPU):
        return "time-out", f"took longer than {ending.limit:g} s {where}"
    if code == OUT_OF_MEMORY:
        return "out of memory", "ran out of memory"
    if code == -9:  # noqa: PLR2004 - SIGKILL, which Windows does not have
        return "out of memory", "was ended by the system, most likely for the memory it used"
    if code < 0:
        return "crash", f"crashed the interpreter ({_signal_name(-code)})"
    return "crash", f"ended the interpreter (exit status {code})"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
