"""The workspace's program files: looked at now and then, ranked again when one has changed, told when one is broken."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from readhead.engine.results import Scored
from readhead_tui.watch import Broken, News, Stamp, Stamps, look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from readhead.program import Program
    from readhead_tui.app import ReadheadApp

_TRIED: Final = 4
"""Changed programs that are run at once to see whether they fail; many that change together come from a command."""
_SHOWS_S: Final = 0.5
"""For the new scores to be shown, before programs are tried."""
_TOLD: Final = 3
"""Broken files in one message."""


class Files:
    """The program files of the app's workspace.

    Args:
        app: that shows them.
        redraw: draws what is known of the heads anew.
    """

    def __init__(self, app: ReadheadApp, redraw: Callable[[], None]) -> None:
        self._app = app
        self._redraw = redraw
        self._stamps: Stamps | None = None
        self._looking = asyncio.Lock()

    def begin_look(self) -> None:
        """Look beside the app's loop, unless somebody does."""
        if not self._looking.locked():
            self._app.link.begin(self.look, "files")

    def stamp(self, path: str) -> Stamp | None:
        """Of a file at the last look; None where there was none."""
        return (self._stamps or {}).get(path)

    async def look(self) -> None:
        """See what has changed; what has is ranked again, in work of its own."""
        async with self._looking:
            folder = Path(self._app.known.programs)
            self._stamps, news = await asyncio.to_thread(look, folder, self._stamps)
        if not (news.files or news.broken):
            return
        self._app.known.learn_files(news)
        self._tell(news.broken.values())
        self._redraw()
        if news.files:
            self._app.link.begin(partial(self._rank, news), "rank")

    async def _rank(self, news: News) -> None:
        await self._app.link.call("rank")
        await asyncio.sleep(_SHOWS_S)
        for path, program in list(news.programs.items())[:_TRIED]:
            failing = await self._failing(path, program)
            if failing is not None:
                self._app.known.learn_files(News(broken={path: failing}))
                self._tell([failing])
                self._redraw()

    async def _failing(self, path: str, program: Program) -> Broken | None:
        """What is wrong with a program that gives nothing on some texts."""
        geometry = self._app.known.geometry
        named = [
            head for head in program.metadata.heads if head.layer < geometry.layers and head.index < geometry.heads
        ]
        head = named[0] if named else self._app.head
        rows = await self._app.link.call("score", source=program.source, heads=[str(head)], mistakes=0)
        scored = Scored.read(rows[0])
        if not scored.failures:
            return None
        first = scored.failures[0]
        failed = round((1 - scored.coverage) * scored.sequences)
        problem = f"{first['message']} (fails on {failed} of {scored.sequences} texts)"
        return Broken(path, problem, first.get("line") or 0, frozenset(named))

    def _tell(self, broken: Iterable[Broken]) -> None:
        listed = list(broken)
        lines = [each.told for each in listed[:_TOLD]]
        if len(listed) > _TOLD:
            lines.append(f"and {len(listed) - _TOLD} more")
        if lines:
            self._app.notify("\n".join(lines), title="broken programs", severity="error", timeout=10)
