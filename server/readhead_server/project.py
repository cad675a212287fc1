"""A workspace as the server sees it: its engine, its open documents, and what is being measured of them.

1. A change: findings at once (after a short pause), the score after a longer one.
2. A save: the score now, then what each term earns, then the perplexity.
3. Every result is published only for the text that it was measured on; a newer text cancels what is on its way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from readhead.engine import Blame, Engine, EngineGoneError, Impacted, Scored
from readhead.engine.client import EngineError
from readhead.engine.results import text_stamp
from readhead_server.annotations import Annotations

if TYPE_CHECKING:
    from readhead_server.documents import Document
    from readhead_server.options import ServerOptions

Publish = Callable[["Document", Annotations], None]
"""Called when something new is known of a document."""
RANK_PAUSE_S = 1.0
"""Without a changed file, before the programs are ranked again."""
UNTRUSTED = "RH920"
"""Code of what is refused in a workspace that is not trusted."""
Told = Callable[["Project", str, dict[str, Any]], None]
Step = Callable[["Document"], Coroutine[Any, Any, None]]
"""Measures something of a document."""


class Project:
    """One workspace."""

    def __init__(self, root: Path, publish: Publish, told: Told, options: ServerOptions) -> None:
        self.root = root
        self.options = options
        self.documents: dict[str, Document] = {}
        self.annotations: dict[str, Annotations] = {}
        self.engine = Engine(root, self._hear)
        self._publish = publish
        self._told = told
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._later_tasks: set[asyncio.Task[None]] = set()
        self._closing: asyncio.Task[None] | None = None
        self._ranking: asyncio.Task[None] | None = None
        self._board: dict[str, str] = {}
        self._was_ready = False
        if options.trusted:
            self.engine.start()

    # ---- documents ---------------------------------------------------------------------------------------------------

    def open(self, document: Document) -> None:
        """A document that was opened, or reopened."""
        self.documents[document.uri] = document
        self.annotations[document.uri] = Annotations(board=dict(self._board))
        self._publish(document, self.annotations[document.uri])
        self._begin(document, pause=0.0, saved=True)

    def change(self, document: Document) -> None:
        """A newer text: what is known stays, and is stale."""
        self.documents[document.uri] = document
        self._publish(document, self._notes(document))
        if self.options.score_while_typing:
            self._begin(document, pause=self.options.pause, saved=False)
        else:
            self._cancel(document.uri)

    def save(self, document: Document) -> None:
        """Measure it now, all of it."""
        self.documents[document.uri] = document
        self._begin(document, pause=0.0, saved=True)

    def close(self, uri: str) -> None:
        """Forget a document."""
        self._cancel(uri)
        self.documents.pop(uri, None)
        self.annotations.pop(uri, None)

    def again(self) -> None:
        """Measure all documents anew."""
        for document in list(self.documents.values()):
            self.annotations[document.uri] = replace(self._notes(document), stamp="", blame_stamp="")
            self._begin(document, pause=0.0, saved=True)

    def measure_unless_known(self, document: Document) -> None:
        """Measure a document, unless its text has been, or is being."""
        if not self._is_known(document) and document.uri not in self._tasks:
            self.save(document)

    @property
    def is_measuring(self) -> bool:
        """Whether something of its documents is being measured."""
        return bool(self._tasks)

    def configure(self, options: ServerOptions) -> None:
        """Go on with other options: what is known is told by them; trust starts the engine, or ends it."""
        before, self.options = self.options, options
        if before.trusted and not options.trusted:
            for uri in list(self._tasks):
                self._cancel(uri)
            self._closing = self._later(self.engine.close())
            self.annotations.clear()
        elif options.trusted and not before.trusted:
            self._later(self._start())
        for document in list(self.documents.values()):
            self._publish(document, self._notes(document))
            self._begin(document, pause=0.0, saved=True)

    async def _start(self) -> None:
        if self._closing is not None:
            await self._closing
        if self.options.trusted:
            self.engine.start()

    def restart(self) -> None:
        """Start the engine again, with the settings as they are now."""
        if self.options.trusted:
            self.engine.restart()

    def rank_soon(self) -> None:
        """Rank all programs again, once no more of them change for a while."""
        if self._ranking is not None:
            self._ranking.cancel()
        if self.options.trusted:
            self._ranking = self._later(self._rank())

    async def _rank(self) -> None:
        await asyncio.sleep(RANK_PAUSE_S)
        try:
            await self.engine.call("rank")
        except EngineGoneError:
            pass  # a new one ranks by itself
        except EngineError as error:
            self._told(self, "notice", {"message": f"the programs cannot be ranked: {error}"})

    def _later(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._later_tasks.add(task)
        task.add_done_callback(self._later_tasks.discard)
        return task

    async def end(self) -> None:
        """Cancel everything, and let go of the engine."""
        for uri in list(self._tasks):
            self._cancel(uri)
        for task in self._later_tasks:
            task.cancel()
        await self.engine.close()

    async def ask(self, method: str, **given: Any) -> Any:  # noqa: ANN401 - JSON
        """Call the engine for a user who waits.

        Raises:
            EngineError: what it says is wrong; that nothing runs in a workspace that is not trusted.
            EngineGoneError: if it ended meanwhile.
        """
        if not self.options.trusted:
            message = "the workspace is not trusted: nothing of it runs"
            raise EngineError(UNTRUSTED, message, "trust it in the editor if you know where it comes from")
        return await self.engine.call(method, **given)

    def notes(self, document: Document) -> Annotations:
        """What is known of a document."""
        return self._notes(document)

    def _notes(self, document: Document) -> Annotations:
        return self.annotations.setdefault(document.uri, Annotations(board=dict(self._board)))

    # ---- measuring ---------------------------------------------------------------------------------------------------

    def _is_known(self, document: Document) -> bool:
        """Whether all that a save measures is known of its text."""
        notes = self._notes(document)
        impacts = {head for head in document.heads if notes.impact(document, head)[1]} | set(notes.refused)
        return (
            notes.is_current(document)
            and (not self.options.blame or notes.blame_stamp == document.stamp)
            and (not self.options.perplexity or impacts >= set(document.heads))
        )

    def _steps(self, *, saved: bool) -> list[Step]:
        if not saved:
            return [self._score]
        blame: list[Step] = [self._blame] if self.options.blame else []
        impact: list[Step] = [self._impact] if self.options.perplexity else []
        return [self._score, *blame, *impact, self._others]

    def _begin(self, document: Document, *, pause: float, saved: bool, steps: list[Step] | None = None) -> None:
        self._cancel(document.uri)
        if not self.options.trusted:
            return
        task = asyncio.create_task(self._measure(document, pause, steps or self._steps(saved=saved)))
        self._tasks[document.uri] = task
        task.add_done_callback(lambda done: self._ended(document.uri, done))

    def _cancel(self, uri: str) -> None:
        task = self._tasks.pop(uri, None)
        if task is not None:
            task.cancel()

    def _ended(self, uri: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(uri) is task:
            del self._tasks[uri]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._told(self, "error", {"message": f"{type(error).__name__}: {error}"})

    async def _measure(self, document: Document, pause: float, steps: list[Step]) -> None:
        await asyncio.sleep(pause)
        if document.findings or not document.heads:
            self._clear(document)
            return
        for step in steps:
            try:
                await step(document)
            except EngineGoneError:
                return  # it is started again, and everything is measured anew
            except EngineError as error:
                notes = self._notes(document)
                notes.error = f"{error} ({error.hint})" if error.hint else str(error)
                self._tell(document)
                return

    def _clear(self, document: Document) -> None:
        """A text that cannot be measured has no figures; the old ones would be another text's."""
        self.annotations[document.uri] = Annotations(board=dict(self._board))
        self._tell(document)

    async def _call(self, document: Document, method: str, **given: Any) -> Any:  # noqa: ANN401 - JSON
        return await self.engine.call(method, source=document.source, name=document.name, **given)

    async def _score(self, document: Document) -> None:
        rows = await self._call(document, "score", heads=document.heads)
        notes = self._notes(document)
        if not notes.is_current(document):
            notes.other = None
            notes.refused = {}
        notes.scores = {row["head"]: Scored.read(row) for row in rows}
        notes.stamp = document.stamp
        notes.error = ""
        self._tell(document)

    async def _blame(self, document: Document) -> None:
        blames = {}
        for head in document.heads:
            rows = await self._call(document, "blame", head=head)
            blames[head] = [Blame.read(row) for row in rows]
        notes = self._notes(document)
        notes.blames, notes.blame_stamp = blames, document.stamp
        self._tell(document)

    async def _impact(self, document: Document) -> None:
        notes = self._notes(document)
        for head in document.heads:
            try:
                found = await self._call(document, "impact", head=head)
            except EngineGoneError:
                raise
            except EngineError as error:
                notes.refused[head] = str(error)
            else:
                notes.impacts[head] = Impacted.read(found)
            self._tell(document)

    async def _others(self, document: Document) -> None:
        rows = await self._call(document, "other_heads")
        own = set(document.heads)
        best = next((row for row in rows if row["head"] not in own), None)
        if best is not None:
            notes = self._notes(document)
            score = next(iter(notes.scores.values()))
            notes.other = replace(score, failures=[], mistakes=[], rank=None, of=None, **best)
            self._tell(document)

    def _tell(self, document: Document) -> None:
        """Publish, unless the document has changed or gone meanwhile."""
        current = self.documents.get(document.uri)
        if current is not None and current.version == document.version:
            self._publish(document, self._notes(document))

    # ---- the engine --------------------------------------------------------------------------------------------------

    def _hear(self, event: str, given: dict[str, Any]) -> None:
        if event == "state":
            if given["state"] == "ready":
                asyncio.get_running_loop().create_task(self._ready())
            self._told(self, event, given)
            for document in self.documents.values():
                self._publish(document, self._notes(document))
        elif event == "switches":
            self._set_board(given["heads"])
            self._told(self, event, {"heads": self._board, "fingerprint": given["fingerprint"]})
        elif event == "ranked":
            self._told(self, event, given)
            for document in list(self.documents.values()):
                steps: list[Step] | None = [self._score, self._others] if self._is_known(document) else None
                self._begin(document, pause=0.0, saved=True, steps=steps)
        else:
            self._told(self, event, given)

    async def _ready(self) -> None:
        try:
            switches = await self.engine.call("switches")
        except (EngineGoneError, EngineError):
            return
        self._set_board(switches["heads"])
        if self._was_ready:  # another engine: the model and the corpus may be others than before
            self.again()
        self._was_ready = True
        for document in list(self.documents.values()):
            if document.uri not in self._tasks:  # it was given up when the engine could not start
                self._begin(document, pause=0.0, saved=True)

    def _set_board(self, heads: dict[str, str]) -> None:
        self._board = {head: text_stamp(source) for head, source in heads.items()}
        for document in self.documents.values():
            self._notes(document).board = dict(self._board)
            self._publish(document, self._notes(document))
