"""Long work on programs: fitting, recording, writing them by search or by a language model; and keeping them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from readhead.engine.bench import Bench, Send
from readhead.engine.candidates import Candidates, row
from readhead.engine.given import as_text, as_whole
from readhead.engine.jobs import told
from readhead.errors import OllamaError
from readhead.program import parse
from readhead.record import measure, with_metadata, with_record, without_record
from readhead.record import stamp as stamp_of_record
from readhead.surrogates.switchboard import refuse_findings
from readhead.synthesis.files import check_folder
from readhead.synthesis.front import SIZES, Wanted

if TYPE_CHECKING:
    from readhead.synthesis.ollama.run import Row, Show


class Writing:
    """Programs that are written or changed on a bench."""

    def __init__(self, bench: Bench, candidates: Candidates) -> None:
        self._bench = bench
        self._candidates = candidates
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
        from readhead.synthesis.ollama.run import Drafting  # noqa: PLC0415 - only who asks a model waits for it

        drafting = Drafting(rounds=rounds, width=1, seed=self._session.seed)
        pair = (parse(source, name=name), self._bench.head(head))
        ((revision, _),) = self._session.refine([pair], drafting, show=self._show(part))
        return revision.as_dict()

    def draft(self, part: Send, head: str, rounds: int = 2, candidates: int = 5, terms: int = 8) -> dict[str, Any]:
        """Programs for a head by the language model of the workspace's settings; parts are what it does.

        It starts from what the search has written for the head, where that is known. Where the server fails, `error`
        says so, and the programs are those that there are. Those that look ahead are counted in `notes`.

        Args:
            part: is called with what it does.
            head: which.
            rounds: of refinement.
            candidates: programs that it is asked for.
            terms: the most of a program.
        """
        from readhead.synthesis.ollama.run import Drafting  # noqa: PLC0415 - as above

        wanted = self._bench.head(head)
        drafting = Drafting(
            count=as_whole("candidates", candidates, 1),
            rounds=as_whole("rounds", rounds, 0),
            terms=as_whole("terms", terms, 1, SIZES[-1]),
            seed=self._session.seed,
        )
        start = self._candidates.to_beat(wanted, drafting.terms)
        starts = {} if start is None else {wanted: start}
        try:
            drafted = self._session.draft(drafting, [wanted], starts=starts, show=self._show(part))
        except OllamaError as error:
            return {"programs": [], "notes": [], "error": told(error)}
        fair = drafted.eligible(wanted)
        left_out = len(drafted.kept) - len(fair)
        notes = drafted.notes + ([f"{wanted}: {left_out} candidates look ahead and are left out"] if left_out else [])
        scored = self._bench.scored(wanted, {each.source: each.program for each in fair}.values())
        rows = [row(program, "ollama", iou) for program, iou in sorted(scored, key=lambda each: -each[1])]
        return {"programs": rows, "notes": notes, "error": None if drafted.error is None else told(drafted.error)}

    def _show(self, part: Send) -> Show:
        def show(line: Row) -> None:
            part({**vars(line), "about": str(line.about)})
            self._bench.check()

        return show

    def keep(self, _part: Send, source: str, head: str) -> dict[str, Any]:
        """A program saved for a head in the programs folder: where, and what is to be told of it.

        A program that does not name the head names it alone from now on, and loses the scores of other heads.
        """
        wanted = self._bench.head(head)
        program = parse(as_text("source", source), name=str(wanted))
        refuse_findings({wanted: program})
        if wanted not in program.metadata.heads:
            named = with_metadata(without_record(source), lambda table: table.update({"heads": [str(wanted)]}))
            program = parse(named, name=str(wanted))
        check_folder(self._session.workspace.programs)
        (saved,) = self._session.save_programs([program])
        return {"path": str(saved.path), "note": saved.note}
