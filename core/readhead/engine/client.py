"""A front end's line to a workspace's engine: starts it where none runs, starts it again where it dies or hangs.

All of it runs in the front end's asyncio loop and never blocks it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Literal

from readhead.engine.address import Address
from readhead.engine.wire import LONGEST, encode, receive
from readhead.errors import ReadheadError
from readhead.workspace import STATE

State = Literal["starting", "loading", "ready", "failed", "restarting", "closed"]
Listener = Callable[[str, dict[str, Any]], None]
"""Called with an event's name (`state`, `busy`, `progress`, `ranked`, `switches`, `notice`) and what goes with it."""

_STARTS_S: Final = 20.0
"""For the process to listen."""
_PING_S: Final = 5.0
_SILENT_S: Final = 20.0
"""Without a pong: the engine hangs."""
_TRIES: Final = 3
"""Starts within `_CALM_S` seconds, after which the engine counts as failed."""
_CALM_S: Final = 30.0


_LAST_WORDS: Final = 2000
"""Bytes of what an engine said before it ended."""

_STARTED: Final[list[subprocess.Popen[bytes]]] = []
"""Engines outlive who starts them; their processes are kept to be reaped."""


class EngineGoneError(ReadheadError):
    """The engine ended before it answered; it is being started again."""

    code = "RH910"


class EngineError(ReadheadError):
    """What the engine answered instead of a result."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.kind = code


@dataclass
class _Call:
    """One that waits for its answer."""

    answer: asyncio.Future[Any]
    on_part: Callable[[Any], None] | None


class Engine:
    """Attached to the engine of the workspace in `root`, from `start` to `close`."""

    def __init__(self, root: Path, listener: Listener = lambda _event, _given: None) -> None:
        self.root = root.resolve()
        self.state: State = "closed"
        self.facts: dict[str, Any] = {}
        """The model and the corpus, when it is ready; `error` when it failed."""
        self.pid: int | None = None
        self._listener = listener
        self._numbers = itertools.count(1)
        self._calls: dict[int, _Call] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._pong = 0.0
        self._starts: list[float] = []
        self._said: IO[bytes] | None = None
        self._retry = asyncio.Event()

    def start(self) -> None:
        """Attach, in the background."""
        if self._task is None:
            self._set("starting", {})
            self._task = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Let go; the engine leaves with its last front end."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        for process in _STARTED:
            process.poll()
        self._forget_words()
        self._set("closed", {})

    def restart(self) -> None:
        """Try again after a failure, or begin anew with changed settings."""
        self._starts.clear()
        self._retry.set()
        if self._writer is not None:
            self._send({"id": 0, "call": "leave"})

    async def ready(self) -> None:
        """Wait until the engine answers.

        Raises:
            EngineError: if it cannot open the workspace.
            EngineGoneError: if it was not started, or let go of.
        """
        while self.state != "ready":
            if self.state == "closed":
                raise EngineGoneError("the engine is closed", hint="it runs while a front end is attached")
            if self.state == "failed":
                error = self.facts.get("error") or {}
                raise EngineError(error.get("code", "RH900"), error.get("message", "failed"), error.get("hint", ""))
            self._ready.clear()
            await self._ready.wait()

    async def call(self, method: str, *, on_part: Callable[[Any], None] | None = None, **given: Any) -> Any:  # noqa: ANN401
        """Ask, once the engine is ready; cancelling the caller's task stops the work.

        Raises:
            EngineGoneError: if the engine ended meanwhile.
            EngineError: what the engine says is wrong.
        """
        await self.ready()
        number = next(self._numbers)
        call = _Call(asyncio.get_running_loop().create_future(), on_part)
        self._calls[number] = call
        self._send({"id": number, "call": method, "with": given})
        try:
            return await call.answer
        except asyncio.CancelledError:
            self._send({"cancel": number})
            raise
        finally:
            self._calls.pop(number, None)

    # ---- the connection ----------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        """Attach, read, and attach again when the engine is gone."""
        try:
            while True:
                try:
                    reader, self._writer = await self._connect()
                except (OSError, TimeoutError) as error:
                    message = str(error) or "the engine's process does not answer"
                    self._fail(message, f"see {self.root / STATE / 'engine.log'}")
                else:
                    watch = asyncio.create_task(self._watch())
                    try:
                        await self._read(reader)
                    finally:
                        watch.cancel()
                        self._hang_up()
                if self.state == "failed":
                    await self._retry.wait()
                self._retry.clear()
                self._set("restarting", {})
        finally:
            self._hang_up()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        deadline = time.monotonic() + _STARTS_S
        process: subprocess.Popen[bytes] | None = None
        while True:
            address = Address.read(self.root / STATE)
            if address is not None:
                try:
                    reader, writer = await asyncio.open_unix_connection(address.path, limit=LONGEST)
                except OSError:
                    pass
                else:
                    self.pid = address.pid
                    self._pong = time.monotonic()
                    writer.write(encode({"token": address.token}))
                    return reader, writer
            if process is None or process.poll() is not None:
                process = self._spawn()
            if time.monotonic() > deadline:
                raise TimeoutError
            deadline += await _sleep(0.05)

    def _spawn(self) -> subprocess.Popen[bytes]:
        now = time.monotonic()
        self._starts = [when for when in self._starts if now - when < _CALM_S]
        if len(self._starts) >= _TRIES:
            raise OSError(f"the engine ended {_TRIES} times within {_CALM_S:.0f} s{self._last_words()}")
        self._starts.append(now)
        _STARTED[:] = [process for process in _STARTED if process.poll() is None]
        quiet: dict[str, Any] = dict.fromkeys(("stdin", "stdout"), subprocess.DEVNULL)
        self._forget_words()
        with contextlib.suppress(OSError):  # without it the engine starts all the same
            self._said = tempfile.TemporaryFile()  # noqa: SIM115 - read when the engine has ended
        quiet["stderr"] = self._said or subprocess.DEVNULL
        # -P: modules come from where they are installed, never from the folder that a front end stands in
        command = [sys.executable, "-P", "-m", "readhead.engine.host", str(self.root)]
        process = subprocess.Popen(command, start_new_session=True, **quiet)  # noqa: S603 - our own module
        _STARTED.append(process)
        return process

    def _last_words(self) -> str:
        """The last line that the engine said before it could write a log."""
        if self._said is None:
            return ""
        self._said.seek(max(0, self._said.seek(0, os.SEEK_END) - _LAST_WORDS))
        lines = self._said.read().decode(errors="replace").split("\n")
        said = [line for line in lines if line.strip()]
        return f": {said[-1]}" if said else ""

    def _forget_words(self) -> None:
        if self._said is not None:
            self._said.close()
            self._said = None

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while (message := await receive(reader)) is not None:
            if "event" in message:
                self._hear(message["event"], message.get("with") or {})
            elif "pong" in message:
                self._pong = time.monotonic()
            elif message.get("id") in self._calls:
                self._answer(self._calls[message["id"]], message)

    def _hear(self, event: str, given: dict[str, Any]) -> None:
        if event == "state":
            state = given.get("state", "starting")
            self._set(state, {key: value for key, value in given.items() if key != "state"})
        else:
            self._listener(event, given)

    def _answer(self, call: _Call, message: dict[str, Any]) -> None:
        if call.answer.done():
            return
        if "part" in message:
            if call.on_part is not None:
                try:
                    call.on_part(message["part"])
                except Exception as mistake:  # noqa: BLE001 - the caller's, not the connection's
                    call.answer.set_exception(mistake)
        elif "error" in message:
            error = message["error"]
            call.answer.set_exception(EngineError(error["code"], error["message"], error["hint"]))
        elif "cancelled" in message:
            call.answer.cancel()
        else:
            call.answer.set_result(message.get("result"))

    async def _watch(self) -> None:
        """End an engine that does not answer any more; while we stood still ourselves, the silence was ours."""
        while True:
            late = await _sleep(_PING_S)
            self._pong = min(self._pong + late, time.monotonic())
            self._send({"ping": 1})
            if time.monotonic() - self._pong > _SILENT_S and self.pid is not None:
                with contextlib.suppress(OSError):
                    os.kill(self.pid, signal.SIGKILL)

    def _send(self, message: dict[str, Any]) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(encode(message))

    def _hang_up(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for call in self._calls.values():
            if not call.answer.done():
                call.answer.set_exception(EngineGoneError("the engine ended", hint="it is started again"))

    def _fail(self, message: str, hint: str) -> None:
        self._set("failed", {"error": {"code": "RH900", "message": message, "hint": hint}})

    def _set(self, state: State, facts: dict[str, Any]) -> None:
        self.state, self.facts = state, facts
        self._ready.set()
        self._listener("state", {"state": state, **facts})


async def _sleep(seconds: float) -> float:
    """Sleep; how much longer it took: the loop was blocked, the process was stopped, or the machine was busy."""
    begun = time.monotonic()
    await asyncio.sleep(seconds)
    return max(0.0, time.monotonic() - begun - seconds)
