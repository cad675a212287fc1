"""Long work in the client's sight: progress that always ends, a cancel that stops the work, one message of an error."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from readhead.engine import EngineGoneError
from readhead.engine.client import EngineError
from readhead.errors import ReadheadError

if TYPE_CHECKING:
    from readhead_server.annotations import Annotations
    from readhead_server.documents import Document
    from readhead_server.project import Project
    from readhead_server.server import ReadheadServer

T = TypeVar("T")

_QUIET_S: Final = 0.3
"""Work that is done sooner shows no progress."""
_CLIENT_S: Final = 5.0
"""For the client to make room for a progress; without an answer it is not told of any."""
_ALL: Final = 100

Report = Callable[[str, float | None], None]
"""Called with what is being done, and how much of it is done (0 to 1) where that is known."""


class Working:
    """One piece of work."""

    def __init__(self, ls: ReadheadServer, title: str, project: Project, stage: str = "") -> None:
        """As `work` has it."""
        self._ls = ls
        self._title = title
        self.project = project
        self.stage = stage
        """Name of the engine's stage that is this work's own."""
        self._token: str | None = None
        self._last: tuple[str, float | None] | None = None

    async def run(self, work: Callable[[Report], Awaitable[Any]]) -> Any:  # noqa: ANN401 - whatever the work gives
        """Do it; cancelling this, or the client's cancel, cancels it."""
        task = asyncio.ensure_future(work(self.report))
        room = asyncio.create_task(self._make_room(task))
        try:
            return await task
        finally:
            task.cancel()
            room.cancel()
            self._end()

    def report(self, what: str, share: float | None = None) -> None:
        """Tell the client, once there is room."""
        self._last = (what, share)
        if self._token is not None:
            percentage = None if share is None else min(_ALL, round(_ALL * share))
            value = lsp.WorkDoneProgressReport(cancellable=True, message=what, percentage=percentage)
            self._ls.work_done_progress.report(self._token, value)

    async def _make_room(self, task: asyncio.Future[Any]) -> None:
        window = self._ls.client_capabilities.window
        if window is None or not window.work_done_progress:
            return
        await asyncio.sleep(_QUIET_S)
        progress, token = self._ls.work_done_progress, str(uuid.uuid4())
        try:
            await asyncio.wait_for(answer_of(progress.create_async(token)), _CLIENT_S)
        except TimeoutError:
            return
        if token not in progress.tokens:
            return  # it was refused
        self._token = token
        progress.tokens[token].add_done_callback(lambda _: task.cancel())
        progress.begin(token, lsp.WorkDoneProgressBegin(title=self._title, cancellable=True, percentage=0))
        if self._last is not None:
            self.report(*self._last)

    def _end(self) -> None:
        if self._token is not None:
            self._ls.work_done_progress.tokens.pop(self._token, None)
            self._ls.work_done_progress.end(self._token, lsp.WorkDoneProgressEnd())
            self._token = None


async def work(
    ls: ReadheadServer, title: str, project: Project, do: Callable[[Report], Awaitable[Any]], *, stage: str = ""
) -> Any:  # noqa: ANN401 - as above
    """What `do` gives; None where it was cancelled, or failed, which the user is told in one message.

    Args:
        ls: the server.
        title: of the progress.
        project: whose engine works.
        do: the work; what it is called with takes reports.
        stage: of the engine's progress, where it tells how far this work is.
    """
    working = Working(ls, title, project, stage)
    ls.works.append(working)
    try:
        return await working.run(do)
    except asyncio.CancelledError:
        current = asyncio.current_task()
        if current is not None and current.cancelling():
            raise  # the request itself was cancelled
        return None
    except (EngineError, EngineGoneError, ReadheadError) as error:
        tell(ls, f"{title}: {error}", error.hint)
        return None
    finally:
        ls.works.remove(working)


def open_program(ls: ReadheadServer, uri: str) -> tuple[Document, Project, Annotations] | None:
    """A program that is open, with what is known of it; else the user is told that it is none."""
    known = ls.known(uri)
    if known is None:
        tell(ls, f"{uri} is no open program of a workspace")
    return known


def trusts(ls: ReadheadServer) -> bool:
    """Whether the workspace may run; the user is told where it may not."""
    if not ls.options.trusted:
        hint = "programs and settings of a workspace are code that others may have written; trust it if you know them"
        tell(ls, "The workspace is not trusted: nothing of it runs", hint, kind=lsp.MessageType.Warning)
    return ls.options.trusted


async def answer_of(asked: Awaitable[T]) -> T | None:
    """What the client answers; None where it refuses to.

    An answer that comes after a cancel would be an error in pygls 2.1: it is let come.
    """
    answer = asyncio.ensure_future(asked)
    answer.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may wait by then
    try:
        return await asyncio.shield(answer)
    except JsonRpcException:
        return None


def tell(ls: ReadheadServer, message: str, hint: str = "", *, kind: lsp.MessageType = lsp.MessageType.Error) -> None:
    """Show the user a message, with its cure."""
    ls.window_show_message(lsp.ShowMessageParams(kind, f"{message}\n{hint}" if hint else message))


def forward(ls: ReadheadServer, project: Project, given: dict[str, Any]) -> None:
    """Pass the engine's progress on to the work whose stage it is."""
    for working in ls.works:
        if working.project is project and working.stage and working.stage == given.get("stage"):
            done, total = given.get("done", 0), given.get("total", 0)
            working.report(f"{done} of {total}", done / total if total else None)
