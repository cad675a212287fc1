"""What the engine does for front ends: calls by name, over a `Session`, all of them in one thread.

Texts come in, values of `readhead.engine.results` go out. The work is done by nouns that share a bench; what is slow to
make stays: the session with its patterns, the ranking of all programs, the meter with the model's own losses.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from readhead.engine.bench import Bench, Send, Tell
from readhead.engine.boards import Boards
from readhead.engine.candidates import Candidates
from readhead.engine.in_model import InModel
from readhead.engine.jobs import Job
from readhead.engine.on_heads import OnHeads
from readhead.engine.writing import Writing
from readhead.errors import UsageError
from readhead.session import Session

if TYPE_CHECKING:
    from readhead.models import LoadedModel


class Works:
    """One session of the engine, for one thread.

    Args:
        root: of the workspace.
        tell: called with the name of an event and what goes with it.
        model: one that is loaded already.
    """

    def __init__(self, root: Path, tell: Tell, model: LoadedModel | None = None) -> None:
        self._bench = Bench(root, tell, model)
        self.on_heads = OnHeads(self._bench)
        self.boards = Boards(self._bench)
        self.in_model = InModel(self._bench, self.boards)
        self.candidates = Candidates(self._bench)
        self.writing = Writing(self._bench, self.candidates)
        nouns = (self, self.on_heads, self.candidates, self.boards, self.in_model, self.writing)
        self._nouns: dict[type, Any] = {type(noun): noun for noun in nouns}

    @property
    def session(self) -> Session:
        """Model, corpus, workspace and sandbox."""
        return self._bench.session

    def call(self, method: str, job: Job, part: Send, given: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """Do what a front end asks.

        Raises:
            UsageError: if the engine does not know it, or it takes something else.
        """
        if method not in METHODS:
            raise UsageError(f"the engine does not know {method!r}", hint=f"it knows: {', '.join(METHODS)}")
        kind, function = METHODS[method]
        noun = self._nouns[kind]
        try:
            inspect.signature(function).bind(noun, part, **given)
        except TypeError as error:
            takes = ", ".join(list(inspect.signature(function).parameters)[2:]) or "nothing"
            raise UsageError(f"{method}: {error}", hint=f"it takes {takes}") from error
        outer, self._bench.job = self._bench.job, job
        try:
            return function(noun, part, **given)
        finally:
            self._bench.job = outer

    def adopt(self, other: Works) -> None:
        """Know another session's ranking."""
        self._bench.ranking = other._bench.ranking

    def close(self) -> None:
        """Take the hooks off the model, end the sandbox, close the state."""
        self.in_model.close()
        self.session.sandbox.close()
        self.session.workspace.close()

    def facts(self, _part: Send) -> dict[str, Any]:
        """The model and the corpus."""
        geometry = self.session.model.geometry
        return {
            "model": self.session.model.name,
            "layers": geometry.layers,
            "heads": geometry.heads,
            "corpus": self.session.corpus.as_dict(),
            "isolation": self.session.sandbox.isolation,
            "programs": str(self.session.workspace.programs),
        }


METHODS: dict[str, tuple[type, Callable[..., Any]]] = {
    method.__name__: (noun, method)
    for noun, methods in (
        (Works, (Works.facts,)),
        (OnHeads, (
            OnHeads.score, OnHeads.other_heads, OnHeads.blame, OnHeads.pattern, OnHeads.worst_texts, OnHeads.rank,
            OnHeads.cards,
        )),
        (Candidates, (Candidates.candidates,)),
        (Boards, (Boards.switches, Boards.flip, Boards.load_board, Boards.save_board)),
        (InModel, (
            InModel.impact, InModel.impacts, InModel.perplexity, InModel.curve, InModel.plan, InModel.generate,
        )),
        (Writing, (Writing.fit, Writing.record, Writing.front, Writing.refine, Writing.draft, Writing.keep)),
    )
    for method in methods
}  # fmt: skip
"""What front ends may call, by name: whose work it is, and how it is done."""
