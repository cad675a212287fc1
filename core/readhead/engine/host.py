"""The engine's process: `python -m readhead.engine.host ROOT`. It loads the model, and leaves with the last front end.

The event loop only passes messages; work is done in two lanes (`jobs`), one for what a user waits for and one for what
takes long. A line goes to its log, never to stdout or stderr of a front end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from readhead.engine.address import FILE, LOCK, Address, socket_path
from readhead.engine.jobs import CancelledJob, Job, Lane, told
from readhead.engine.wire import LONGEST, encode, receive
from readhead.workspace import STATE

if TYPE_CHECKING:
    from readhead.engine.works import Works

SLOW = frozenset({"rank", "fit", "front", "refine", "draft", "record", "other_heads"})
"""Calls that are done in a lane of their own, beside the quick ones."""
URGENCY = {
    "score": 0, "flip": 0, "load_board": 0, "switches": 0, "facts": 0, "cards": 0, "keep": 0, "pattern": 1,
    "worst_texts": 1, "candidates": 1, "blame": 2, "rank": 2, "generate": 4, "impacts": 5, "plan": 6, "curve": 7,
}  # fmt: skip
"""Which call comes first. Those that are not named come before the last ones, in whose midst they are answered."""
UNNAMED = 3
_LOG = logging.getLogger(__name__)

LEAVES_AFTER_S = 1.0
"""Without a front end; one that restarts finds the engine still there."""
WAITS_S = 60.0
"""For the first front end."""


@dataclass(eq=False)
class _FrontEnd:
    """One that is attached."""

    writer: asyncio.StreamWriter
    jobs: dict[int, Job] = field(default_factory=dict)


class Host:
    """Serves one workspace."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._loop = asyncio.get_running_loop()
        self._front_ends: set[_FrontEnd] = set()
        self._token = secrets.token_hex(16)
        self._state: dict[str, Any] = {"state": "starting"}
        self._quick = Lane("quick")
        self._slow = Lane("slow")
        self._works: dict[Lane, Works] = {}
        self._left = asyncio.Event()
        self._leaving: asyncio.TimerHandle | None = None
        self._busy = 0

    async def serve(self) -> None:
        """Until the last front end has gone."""
        path = socket_path(self._root)
        server = await asyncio.start_unix_server(self._attach, path=path, limit=LONGEST)
        path.chmod(0o600)
        state = self._root / STATE
        Address(str(path), os.getpid(), self._token).write(state)
        self._leave_in(WAITS_S)
        self._quick.add(Job(self._open, self._opened))
        try:
            await self._left.wait()
        finally:
            server.close()
            for lane in (self._quick, self._slow):
                lane.close()
            with contextlib.suppress(OSError):
                path.unlink()
            address = Address.read(state)
            if address is not None and address.pid == os.getpid():
                (state / FILE).unlink(missing_ok=True)

    # ---- opening -----------------------------------------------------------------------------------------------------

    def _open(self, _job: Job) -> None:
        """In the quick lane."""
        self._tell("state", {"state": "loading"})
        from readhead.engine.works import Works  # noqa: PLC0415 - front ends attach while torch is imported

        self._works[self._quick] = Works(self._root, self._tell)

    def _opened(self, _: object, error: BaseException | None) -> None:
        if error is not None:
            _LOG.error("the workspace cannot be opened", exc_info=error)
            self._tell("state", {"state": "failed", "error": told(error)})
            return
        works = self._works[self._quick]
        self._slow.add(Job(self._open_slow, self._ranked))  # before anybody can ask for what is done there
        self._tell("state", {"state": "ready", **works.facts(lambda _: None)})

    def _open_slow(self, job: Job) -> list[dict[str, Any]]:
        """In the slow lane: a session of its own on the same model; then rank what there is."""
        from readhead.engine.works import Works  # noqa: PLC0415 - as above

        works = Works(self._root, self._tell, self._works[self._quick].session.model)
        self._works[self._slow] = works
        cards: list[dict[str, Any]] = works.call("rank", job, lambda _: None, {})
        return cards

    def _ranked(self, _: object, error: BaseException | None) -> None:
        if error is not None:
            _LOG.error("the programs cannot be ranked", exc_info=error)
            self._tell("notice", told(error))
            return
        self._works[self._quick].adopt(self._works[self._slow])
        self._tell("ranked", {})

    # ---- front ends --------------------------------------------------------------------------------------------------

    async def _attach(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        front_end = _FrontEnd(writer)
        try:
            hello = await receive(reader)
            if hello is None or not secrets.compare_digest(str(hello.get("token")), self._token):
                return
            self._front_ends.add(front_end)
            self._stay()
            self._send(front_end, {"event": "state", "with": self._state})
            while (message := await receive(reader)) is not None:
                try:
                    self._take(front_end, message)
                except (KeyError, TypeError, ValueError):
                    _LOG.warning("not understood: %.200s", message)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            for job in front_end.jobs.values():
                job.cancel()
            self._front_ends.discard(front_end)
            writer.close()
            if not self._front_ends:
                self._leave_in(LEAVES_AFTER_S)

    def _take(self, front_end: _FrontEnd, message: dict[str, Any]) -> None:
        if "ping" in message:
            self._send(front_end, {"pong": message["ping"]})
        elif "cancel" in message:
            job = front_end.jobs.get(message["cancel"])
            if job is not None:
                job.cancel()
        elif "call" in message:
            given = message.get("with")
            self._begin(front_end, int(message["id"]), str(message["call"]), given if isinstance(given, dict) else {})

    def _begin(self, front_end: _FrontEnd, number: int, method: str, given: dict[str, Any]) -> None:
        if method == "leave":
            self._send(front_end, {"id": number, "result": None})
            self._left.set()
            return
        if self._state["state"] == "failed":
            self._send(front_end, {"id": number, "error": self._state["error"]})
            return
        reply = partial(self._reply, front_end, number)
        job = Job(partial(self._do, method, given, reply), partial(self._done, front_end, number))
        front_end.jobs[number] = job
        self._busy += 1
        self._show_busy()
        job.urgency = URGENCY.get(method, UNNAMED)
        (self._slow if method in SLOW else self._quick).add(job)

    def _do(self, method: str, given: dict[str, Any], reply: Callable[[str, Any], None], job: Job) -> Any:  # noqa: ANN401
        """In a lane."""
        from readhead.errors import UsageError  # noqa: PLC0415 - as above

        lane = job.lane
        if lane is None or lane not in self._works:
            raise UsageError("the engine could not open the workspace", hint="see its state")
        result = self._works[lane].call(method, job, partial(reply, "part"), given)
        if method == "rank":
            self._ranked(result, None)  # the other lane has to know of it, too
        return result

    def _done(self, front_end: _FrontEnd, number: int, result: Any, error: BaseException | None) -> None:  # noqa: ANN401
        """In a lane."""
        if isinstance(error, CancelledJob):
            self._reply(front_end, number, "cancelled", True)  # noqa: FBT003 - JSON
        elif error is not None:
            _LOG.info("%s", error, exc_info=error)
            self._reply(front_end, number, "error", told(error))
        else:
            self._reply(front_end, number, "result", result)
        self._loop.call_soon_threadsafe(self._forget, front_end, number)

    def _forget(self, front_end: _FrontEnd, number: int) -> None:
        front_end.jobs.pop(number, None)
        self._busy -= 1
        self._show_busy()

    def _show_busy(self) -> None:
        for front_end in self._front_ends:
            self._send(front_end, {"event": "busy", "with": {"jobs": self._busy}})

    # ---- sending -----------------------------------------------------------------------------------------------------

    def _reply(self, front_end: _FrontEnd, number: int, kind: str, value: Any) -> None:  # noqa: ANN401 - JSON
        """From a lane."""
        self._loop.call_soon_threadsafe(self._send, front_end, {"id": number, kind: value})

    def _tell(self, event: str, given: dict[str, Any]) -> None:
        """From any thread, to all."""
        self._loop.call_soon_threadsafe(self._tell_all, event, given)

    def _tell_all(self, event: str, given: dict[str, Any]) -> None:
        if event == "state":
            self._state = given
        for front_end in self._front_ends:
            self._send(front_end, {"event": event, "with": given})

    def _send(self, front_end: _FrontEnd, message: dict[str, Any]) -> None:
        if not front_end.writer.is_closing():
            front_end.writer.write(encode(message))

    # ---- leaving -----------------------------------------------------------------------------------------------------

    def _stay(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None

    def _leave_in(self, seconds: float) -> None:
        self._stay()
        self._leaving = self._loop.call_later(seconds, self._left.set)


def main(arguments: list[str]) -> int:
    """Serve a workspace, unless another engine does."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as the command line
    root = Path(arguments[0]).resolve()
    state = root / STATE
    state.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        filename=state / "engine.log", filemode="w", format="%(asctime)s %(message)s", level=logging.INFO
    )
    lock = FileLock(state / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return 0  # another one serves, or is about to
    try:
        asyncio.run(_serve(root))
    finally:
        lock.release()
    os._exit(0)  # a lane may be in the middle of something that nobody waits for


async def _serve(root: Path) -> None:
    await Host(root).serve()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
