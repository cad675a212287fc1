"""Long work on programs: fitting, recording, writing them by search or by a language model; and keeping them."""

from __future__ import annotations

from typing import Any

from readhead.engine.bench import Bench, Send
from readhead.engine.candidates import row
from readhead.program import parse
from readhead.record import measure, with_record
from readhead.record import stamp as stamp_of_record


class Writing:
    """Programs that are written or changed on a bench."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._session = bench.session

    def fit(
        self, _part: Send, source: str, heads: list[str], name: str = "program", only: list[int] | None = None
    ) -> dict[str, Any]:
        """A program's constants fitted to heads; with `only`, those that begin at these bytes of the text."""
        task = (parse(source, name=name), [self._bench.head(head) for head in heads])
        (fitted,) = self._session.fit([task], only=only or ())
        return fitted.as_dict()

    def record(self, _part: Send, source: str, name: str = "program") -> dict[str, Any]:
        """A program's text with its scores on `held-out` in its metadata, and the scores."""
        scores = measure([parse(source, name=name)], self._session)
        rows = [{"head": str(score.head), "iou": score.iou, "trivial_iou": score.trivial_iou} for score in scores]
        return {"source": with_record(source, stamp_of_record(self._session), scores), "scores": rows}

    def front(self, _part: Send, head: str, terms: int = 8) -> list[dict[str, Any]]:
        """The symbolic search's programs for a head, one for each size, as candidates; one is `chosen`."""
        from readhead.synthesis.front import Wanted  # noqa: PLC0415 - the search waits for torch

        wanted = Wanted(terms=terms, seed=self._session.seed)
        (found,) = self._session.write_programs(wanted, [self._bench.head(head)]).fronts
        ranking = self._session.ranking(found.programs)
        place = self._bench.place(found.head)
        scores, chosen = found.scores(ranking, place), found.chosen(ranking, place)
        return [
            row(program, "symbolic", iou)
            | {"head": str(found.head), "set_tokens": program.set_tokens, "chosen": program is chosen}
            for program, iou in zip(found.programs, scores, strict=True)
        ]

    def refine(self, part: Send, source: str, head: str, name: str = "program", rounds: int = 1) -> dict[str, Any]:
        """A revision of a program by the language model of the workspace's settings; parts are what it does."""
        from readhead.synthesis.ollama.run import Drafting, Row  # noqa: PLC0415 - only who asks a model waits for it

        def show(row: Row) -> None:
            part({**vars(row), "about": str(row.about)})
            self._bench.check()

        drafting = Drafting(rounds=rounds, width=1, seed=self._session.seed)
        ((revision, _),) = self._session.refine(
            [(parse(source, name=name), self._bench.head(head))], drafting, show=show
        )
        return revision.as_dict()
