"""The process that runs programs where there is no fork and no system-call filter: one for all of them.

It needs pipes and nothing else that only some systems have, takes the limits that its system offers, and is made to
leave as little as possible from one program to the next: every program gets names and sentences of its own. After each
it runs the *canary*, whose answer must never change; whoever started the process compares, and starts another whenever
it does, and after any time-out, crash or lack of memory.

What it sends are pieces of the block: where they belong, how long they are, and their bytes. A piece at -1 is a
message, in JSON.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import struct
import sys
import time
from typing import Any, BinaryIO, Final

from readhead import language
from readhead.sandbox import canary, namespace, rlimits
from readhead.sandbox.block import OUT_OF_MEMORY, Layout
from readhead.sandbox.performance import Performance, message_of

MESSAGE: Final = -1
PIECE: Final = struct.Struct("=qI")
_STDERR: Final = 2


class _Told(Performance):
    """A performance whose block is the copy of one that lies elsewhere."""

    def __init__(self, source: str, block: bytearray, seconds: float, link: BinaryIO) -> None:
        super().__init__(source, namespace.fresh(), block)
        self._here = block
        self._seconds = seconds
        self._link = link

    def begin(self, index: int | None) -> None:
        """Tell what is in work, and set the alarm: it writes the stack to stderr and ends the process."""
        super().begin(index)
        self.tell_head()
        faulthandler.dump_traceback_later(self._seconds, exit=True, file=_STDERR)

    def end(self, index: int, layout: Layout) -> None:
        """Tell the weights."""
        faulthandler.cancel_dump_traceback_later()
        if self._here[layout.STATES + index] == 1:
            self._tell(layout.offsets[index], layout.offsets[index + 1])
        self._tell(layout.STATES + index, layout.STATES + index + 1)

    def tell_head(self) -> None:
        """Tell the counters and the report."""
        (size,) = struct.unpack_from("=q", self._here, Layout.REPORT_SIZE)
        self._tell(0, Layout.REPORT + size)

    def _tell(self, begin: int, end: int) -> None:
        self._link.write(PIECE.pack(begin, end - begin))
        self._link.write(memoryview(self._here)[begin:end])
        self._link.flush()


class _Worker:
    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._texts: list[tuple[list[str], list[int]]] = []
        self._layout = Layout(())

    def serve(self) -> None:
        """Until the other side has gone."""
        self._tell({"canary": canary.answer(namespace.fresh())})
        while line := self._incoming.readline():
            message = json.loads(line)
            if message["op"] == "load":
                self._load(message["texts"])
            else:
                self._run(message["source"], message["seconds"], message["memory"])

    def _load(self, texts: list[tuple[list[str], list[int]]]) -> None:
        try:
            sizes = tuple(language.Sentence(surfaces, special).n for surfaces, special in texts)
        except Exception as error:  # noqa: BLE001 - the caller is told
            self._tell({"error": message_of(error)})
            return
        self._texts, self._layout = texts, Layout(sizes)
        self._tell({"error": ""})

    def _run(self, source: str, seconds: float, memory: int) -> None:
        started = time.monotonic()
        sentences = [language.Sentence(surfaces, special) for surfaces, special in self._texts]
        block = bytearray(self._layout.offsets[-1])
        rlimits.limit_memory(memory)
        performance = _Told(source, block, seconds, self._outgoing)
        performance.define()
        performance.play(sentences, self._layout)
        faulthandler.dump_traceback_later(seconds, exit=True, file=_STDERR)
        performance.tell_head()
        del performance, sentences, block
        gc.collect()  # what is left of the program can still run here: a generator that is closed, for one
        faulthandler.cancel_dump_traceback_later()
        self._tell({"seconds": time.monotonic() - started, "canary": canary.answer(namespace.fresh())})

    def _tell(self, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        self._outgoing.write(PIECE.pack(MESSAGE, len(body)) + body)
        self._outgoing.flush()


def main() -> None:
    """Serve on standard input and output, which programs then find closed."""
    faulthandler.enable(_STDERR, all_threads=False)
    namespace.warm_up()
    gc.collect()
    gc.freeze()  # it is there for good: collecting after each program need not look at it
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(_STDERR):
        os.dup2(null, descriptor)
    sys.stdin = sys.stdout = sys.stderr = None
    rlimits.limit(NOFILE=0, FSIZE=0, CORE=0)
    try:
        _Worker(incoming, outgoing).serve()
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except BrokenPipeError:
        os._exit(0)
