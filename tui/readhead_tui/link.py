"""The app's line to the workspace's engine: calls in workers, what the engine says as messages.

Work runs as workers of the app, so that one handler there hears of every failure. Workers post or call back; the widget
that asked changes itself.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from textual.message import Message

from readhead.engine import Engine

if TYPE_CHECKING:
    from textual.app import App
    from textual.worker import Worker


class AnyEngine(Protocol):
    """What the app needs of a `readhead.engine.Engine`."""

    def start(self) -> None: ...  # noqa: D102 - as there
    async def close(self) -> None: ...  # noqa: D102 - as there
    def restart(self) -> None: ...  # noqa: D102 - as there
    async def call(self, method: str, *, on_part: Callable[[Any], None] | None = None, **given: Any) -> Any: ...  # noqa: ANN401, D102 - as there


Attach = Callable[[Path, Callable[[str, dict[str, Any]], None]], AnyEngine]
"""Makes an engine of a workspace, with a listener."""


@dataclass
class EngineSaid(Message):
    """An event of the engine: `state`, `busy`, `progress`, `ranked`, `switches` or `notice`."""

    event: str
    given: dict[str, Any]

    def can_replace(self, message: Message) -> bool:
        """Only the newest progress is of interest."""
        return isinstance(message, EngineSaid) and message.event == self.event and self.event in {"progress", "busy"}


class Link:
    """The engine, for widgets."""

    def __init__(self, app: App[Any], root: Path, attach: Attach = Engine) -> None:
        self._app = app
        self.engine = attach(root, self._hear)

    def _hear(self, event: str, given: dict[str, Any]) -> None:
        self._app.post_message(EngineSaid(event, given))

    async def call(self, method: str, *, on_part: Callable[[Any], None] | None = None, **given: Any) -> Any:  # noqa: ANN401 - JSON
        """Ask the engine; see `Engine.call`."""
        return await self.engine.call(method, on_part=on_part, **given)

    def begin(self, work: Callable[[], Coroutine[Any, Any, Any]], group: str, *, exclusive: bool = True) -> Worker[Any]:
        """Do work beside the app's loop; with `exclusive`, earlier work of the group ends, in the engine too.

        Args:
            work: makes the coroutine, when it begins: it may be cancelled before.
            group: its name; a failure is told under it.
            exclusive: whether it takes the place of the group's earlier work.
        """
        return self._app.run_worker(work, group=group, exclusive=exclusive, exit_on_error=False)

    def stop(self, group: str) -> bool:
        """Cancel the work of a group; whether there was any."""
        return bool(self._app.workers.cancel_group(self._app, group))
