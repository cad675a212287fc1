"""Running one program over texts: in a process that may crash, hang and be killed, never in ours."""

from __future__ import annotations

import contextlib
import itertools
import json
import mmap
import struct
import time
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from readhead import language
from readhead.sandbox import policy
from readhead.sandbox.block import Layout

_LONGEST_MESSAGE: Final = 400
"""A little more than is shown, so that the reader sees where to cut."""


class Performance:
    """One program, and the block that takes its weights, states and failures.

    Args:
        source: the program.
        names: its globals; see `namespace`.
        block: as long as the layouts it is played with ask for.
    """

    def __init__(self, source: str, names: dict[str, Any], block: bytearray | mmap.mmap) -> None:
        self._source = source
        self._names = names
        self._block = block
        self._code: types.CodeType | None = None
        self._head: Callable[[language.Sentence], object] | None = None
        self._sequence = np.frombuffer(block, np.int64, 1, Layout.SEQUENCE)
        self._began = np.frombuffer(block, np.float64, 1, Layout.BEGAN)
        self._failures: dict[str, dict[str, Any]] = {}

    def define(self) -> None:
        """Run the file itself, which defines `head`; if it is run again, everything in it is made anew."""
        self.begin(None)
        self._head = None
        try:
            if self._code is None:
                self._code = compile(
                    self._source, policy.FILE_NAME, "exec", flags=policy.COMPILER_FLAGS, dont_inherit=True
                )
            names = dict(self._names)
            exec(self._code, names)  # noqa: S102 - what this process is for
            self._head = names["head"]
        except BaseException as error:  # noqa: BLE001 - a program's failure is data
            self._note_error(error, None)

    def play(self, sentences: Sequence[language.Sentence], layout: Layout) -> None:
        """Have `head` say its weights for every sentence, until one uses up the memory."""
        if self._head is not None:
            for index, sentence in enumerate(sentences):
                self.begin(index)
                gone = self._play_one(self._head, sentence, index, layout)
                self.end(index, layout)
                if gone:
                    break
        self._write(Layout.FINISHED, struct.pack("=q", 1))

    def begin(self, index: int | None) -> None:
        """Say what is in work, and since when; None for the file itself."""
        self._sequence[0] = 0 if index is None else index + 1
        self._began[0] = time.process_time()

    def end(self, index: int, layout: Layout) -> None:
        """Called after each sequence."""

    def forget(self) -> None:
        """Begin a new report, for a program that is played again."""
        self._failures.clear()
        self._write(Layout.REPORT_SIZE, bytes(16))

    def _play_one(
        self,
        head: Callable[[language.Sentence], object],
        sentence: language.Sentence,
        index: int,
        layout: Layout,
    ) -> bool:
        """Leave one sequence's weights; whether the memory was used up."""
        n = sentence.n
        target = np.frombuffer(self._block, np.float32, n * n, layout.offsets[index]).reshape(n, n)
        self._block[layout.STATES + index] = 2
        try:
            with _forgetful(sentence):
                problem = _store(head(sentence), target)
        except BaseException as error:  # noqa: BLE001 - as above
            return self._note_error(error, index) == "out of memory"
        if problem:
            self._note("bad result", problem, index)
        else:
            self._block[layout.STATES + index] = 1
        return False

    def _note_error(self, error: BaseException, sequence: int | None) -> str:
        kind = "out of memory" if isinstance(error, MemoryError) else "error"
        line, column = _place(error, self._source)
        error.__traceback__ = None  # lets go of what the program's frames hold
        if kind not in self._failures:
            self._note(kind, message_of(error), sequence, line=line, column=column)
        return kind

    def _note(self, kind: str, message: str, sequence: int | None, **place: int | None) -> None:
        if kind in self._failures:
            return
        self._failures[kind] = {"kind": kind, "message": message[:_LONGEST_MESSAGE], "sequence": sequence, **place}
        report = json.dumps(list(self._failures.values())).encode()
        self._write(Layout.REPORT, report)
        self._write(Layout.REPORT_SIZE, struct.pack("=q", len(report)))

    def _write(self, offset: int, data: bytes) -> None:
        self._block[offset : offset + len(data)] = data


@contextlib.contextmanager
def _forgetful(sentence: language.Sentence) -> Iterator[None]:
    """Let go of what a program had computed on a sentence, or a long corpus would fill the memory."""
    caches = caches_of(sentence)
    sizes = [len(cache) for cache in caches]
    try:
        yield
    finally:
        for cache, size in zip(caches, sizes, strict=True):
            while len(cache) > size:
                cache.popitem()  # the latest first


def caches_of(sentence: language.Sentence) -> list[dict[str, language.Array]]:
    """Where a sentence keeps what it has computed.

    Found by their names: `vars` would give every sentence a dict of its own for good, and every attribute's reading
    would take a third longer (CPython 3.11).
    """
    sides = (sentence, sentence.key, sentence.query, sentence.word)
    return [sentence._relations, *(side._features for side in sides)]  # noqa: SLF001 - part of one engine


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


def message_of(error: BaseException) -> str:
    """In one line or more, and of bounded length."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - the arguments are the program's
        text = ""
    return f"{type(error).__name__}: {text[:_LONGEST_MESSAGE]}" if text else type(error).__name__
