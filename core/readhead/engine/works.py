"""What the engine does for front ends: methods over a `Session`, all of them in one thread.

Texts come in, values of `readhead.engine.results` go out. `Works` keeps what is slow to make: the session with its
patterns, the ranking of all programs, the meter with the model's own losses.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from readhead.blame import parts_of
from readhead.engine.jobs import Job
from readhead.engine.results import Blame, Card, Impacted, Scored, Stamp, Switches, text_stamp
from readhead.errors import UsageError
from readhead.heads import HeadId
from readhead.library import Ranking, Target, measure_floor, predict, score_pairs
from readhead.options import Options
from readhead.patterns import unpack
from readhead.program import Program, parse
from readhead.record import measure, with_record
from readhead.record import stamp as stamp_of_record
from readhead.scores import HeadScore
from readhead.scoring import INACTIVE, iou
from readhead.session import Session
from readhead.surrogates.impact import Impact
from readhead.surrogates.switchboard import Control, Switchboard
from readhead.workspace import Workspace

if TYPE_CHECKING:
    from readhead.models import LoadedModel

Part = Callable[[dict[str, Any]], None]
"""Sends a part of an answer."""
_METER_BYTES = 256 << 20
"""An engine stays for hours, and every save is another program."""
_AT_ONCE = 4
"""Programs that are run without a look at what is more urgent."""
_SHOWN = 6
"""Programs on a head's card, the best included."""


class Works:
    """One session of the engine, for one thread.

    Args:
        root: of the workspace.
        tell: called with the name of an event and what goes with it.
        model: one that is loaded already.
    """

    def __init__(
        self, root: Path, tell: Callable[[str, dict[str, Any]], None], model: LoadedModel | None = None
    ) -> None:
        self._root = root
        self._tell = tell
        self._job: Job | None = None
        workspace = Workspace.open(root)
        settings = Options().settings(workspace)
        self.session = Session.open(workspace, settings, report=self._report, model=model)
        self.session.sandbox.watch = self._check_cancelled
        self.target: Target = self.session.target()
        self._floor = measure_floor(self.target, "dev")
        self._ranking: Ranking | None = None
        self._meter: Any = None
        self._meters: Any = None

    def _report(self, stage: str, done: int, total: int) -> None:
        self._tell("progress", {"stage": stage, "done": done, "total": total})
        self._check_cancelled()

    def call(self, method: str, job: Job, part: Part, given: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """Do what a front end asks."""
        outer, self._job = self._job, job
        try:
            return METHODS[method](self, part, **given)
        finally:
            self._job = outer

    def _check(self) -> None:
        """Between steps: nothing may be on its way in the sandbox, which a more urgent job would use."""
        if self._job is not None:
            self._job.check()

    def _check_cancelled(self) -> None:
        if self._job is not None:
            self._job.check_cancelled()

    def close(self) -> None:
        """End the sandbox, take the hooks off the model, close the state."""
        if self._meters is not None:
            self._meters.__exit__(None, None, None)
        self.session.sandbox.close()
        self.session.workspace.close()

    # ---- programs on heads -------------------------------------------------------------------------------------------

    def facts(self, _part: Part) -> dict[str, Any]:
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

    def score(
        self, _part: Part, source: str, heads: list[str], name: str = "program", mistakes: int = 5
    ) -> list[dict[str, Any]]:
        """A program on heads, on `dev`."""
        program = parse(source, name=name)
        pairs = [(program, self._head(head)) for head in heads]
        scores = score_pairs(pairs, self.target, self.session.sandbox, part="dev", mistakes=mistakes, floor=self._floor)
        return [asdict(self._scored(score)) for score in scores]

    def adopt(self, other: Works) -> None:
        """Know another session's ranking."""
        self._ranking = other._ranking

    def _scored(self, score: HeadScore) -> Scored:
        rank, of = None, None
        if self._ranking is not None:
            column = self._ranking.iou[:, self.session.model.geometry.index_of(score.head)]
            others = [k for k, other in enumerate(self._ranking.programs) if other.name != score.program.name]
            rank, of = int((column[others] > score.iou).sum()) + 1, len(others) + 1
        return Scored(
            head=str(score.head),
            stamp=asdict(self._stamp(score.program)),
            iou=score.iou,
            iou_without_first=score.iou_without_first,
            jsd=score.jsd,
            trivial=score.trivial,
            trivial_iou=score.trivial_iou,
            inactive=score.inactive,
            coverage=score.coverage,
            sequences=score.sequences,
            failures=[dict(failure) for failure in score.failures],
            look_ahead=score.look_ahead,
            rank=rank,
            of=of,
            mistakes=[asdict(mistake) for mistake in score.mistakes],
        )

    def _stamp(self, program: Program, board: str = "") -> Stamp:
        corpus = self.session.corpus
        return Stamp(text_stamp(program.source), self.target.model, corpus.fingerprint, "dev", corpus.length, board)

    def _head(self, name: str) -> HeadId:
        head = HeadId.parse(name)
        self.session.model.geometry.index_of(head)
        return head

    def other_heads(self, _part: Part, source: str, name: str = "program") -> list[dict[str, Any]]:
        """All heads in the order of a program's IoU on `dev`, with floors."""
        program = parse(source, name=name)
        if program.findings:
            return []
        ranking = self.session.ranking([program])
        found = []
        for place, head in enumerate(self.session.model.geometry.head_ids()):
            trivial, floor = self._floor.best(place)
            value = float(ranking.iou[0, place])
            found.append({"head": str(head), "iou": value, "trivial": trivial, "trivial_iou": floor})
        return sorted(found, key=lambda row: -row["iou"])

    def blame(self, _part: Part, source: str, head: str, name: str = "program") -> list[dict[str, Any]]:
        """What each part of a program earns on a head."""
        parts = parts_of(source)
        texts = self.target.corpus["dev"]
        programs = [parse(source, name=name), *(parse(part.without, name=name) for part in parts)]
        row = self.session.model.geometry.index_of(self._head(head))
        patterns = [self.target.store.read(place, row) for place in self.target.places("dev")]
        reached: list[float] = []
        for start in range(0, len(programs), _AT_ONCE):
            self._check()
            for predictions, _ in predict(programs[start : start + _AT_ONCE], texts, self.session.sandbox):
                pairs = zip(predictions, patterns, strict=True)
                reached.append(float(np.mean([0.0 if p is None else iou(p, pattern) for p, pattern in pairs])))
        place = _Places(source)
        return [
            asdict(Blame(place.of(part.start), place.of(part.end), place.text(part.start, part.end),
                         reached[0] - without, part.without))
            for part, without in zip(parts, reached[1:], strict=True)
        ]  # fmt: skip

    def pattern(
        self, _part: Part, head: str, source: str = "", name: str = "program", sequence: int = 0, text: str = ""
    ) -> dict[str, Any]:
        """A head's pattern and a program's prediction on one text."""
        wanted = self._head(head)
        if text:
            program = parse(source, name=name) if source else None
            view = self.session.show(wanted, program, text)
            return {"head": head, "tokens": list(view.tokens), "pattern": _rounded(view.pattern),
                    "prediction": _rounded(view.prediction) if program else None}  # fmt: skip
        chosen = self.target.corpus["dev"][sequence]
        length = len(chosen.ids)
        row = self.session.model.geometry.index_of(wanted)
        pattern = unpack(self.target.store.read(self.target.places("dev")[sequence], row), length)
        prediction = None
        if source:
            ((predictions, _),) = predict([parse(source, name=name)], [chosen], self.session.sandbox)
            prediction = None if predictions[0] is None else _rounded(unpack(predictions[0], length))
        return {
            "head": head,
            "sequence": sequence,
            "of": len(self.target.corpus["dev"]),
            "tokens": list(chosen.text.surfaces),
            "pattern": _rounded(pattern),
            "prediction": prediction,
        }

    def worst_texts(self, _part: Part, source: str, head: str, name: str = "program") -> list[dict[str, Any]]:
        """The `dev` texts in the order in which a program fails on them: the lowest IoU first."""
        row = self.session.model.geometry.index_of(self._head(head))
        ((predictions, _),) = predict([parse(source, name=name)], self.target.corpus["dev"], self.session.sandbox)
        found = []
        for number, (place, prediction) in enumerate(zip(self.target.places("dev"), predictions, strict=True)):
            value = 0.0 if prediction is None else iou(prediction, self.target.store.read(place, row))
            found.append({"sequence": number, "iou": value, "failed": prediction is None})
        return sorted(found, key=lambda each: each["iou"])

    # ---- all heads ---------------------------------------------------------------------------------------------------

    def rank(self, _part: Part) -> list[dict[str, Any]]:
        """All programs against all heads; the cards of the heads."""
        programs = [program for program in self.session.library() if not program.findings]
        self._ranking = self.session.ranking(programs)
        return self.cards(_part)

    def cards(self, _part: Part) -> list[dict[str, Any]]:
        """What is known of every head, layer by layer."""
        board = self.session.workspace.current_board(self.target.model)
        cards = []
        for place, head in enumerate(self.session.model.geometry.head_ids()):
            trivial, floor = self._floor.best(place)
            inactive = bool(self._floor.first_mass[place] >= INACTIVE)
            mode = "program" if str(head) in board else "neural"
            known = self._best(place)
            cards.append(asdict(Card(str(head), trivial, floor, inactive, mode=mode, **known)))
        return cards

    def _best(self, place: int) -> dict[str, Any]:
        if self._ranking is None:
            return {}
        column = self._ranking.iou[:, place]
        order = np.argsort(-column, kind="stable")[:_SHOWN]
        listed = [self._ranking.programs[k] for k in order]
        best = listed[0]
        others = [
            {"name": program.name, "path": str(program.path or ""), "iou": float(column[k]), "terms": program.terms}
            for k, program in zip(order, listed, strict=True)
        ]
        return {"best": best.name, "best_iou": others[0]["iou"], "explanation": best.explanation,
                "category": best.metadata.category, "path": str(best.path or ""), "others": others}  # fmt: skip

    # ---- in the model ------------------------------------------------------------------------------------------------

    @cached_property
    def _measure(self) -> Any:  # noqa: ANN401 - a Meter, which waits for torch
        from readhead.surrogates.meter import Meter  # noqa: PLC0415 - as the session does

        session = self.session
        self._meters = Meter(
            session.model, session.corpus["dev"], session.predictions, memory=_METER_BYTES, seed=session.seed
        )
        return self._meters.__enter__()

    def impact(self, part: Part, source: str, head: str, name: str = "program") -> dict[str, Any]:
        """What a program in the place of one head does to the perplexity; parts are earlier estimates."""
        program = parse(source, name=name)
        wanted = self._head(head)
        self.session.predictions.refuse_unfit({wanted: program}, self._trial_ids())
        return self._estimated(part, {wanted: program}, self._stamp(program))

    def _trial_ids(self) -> list[Any]:
        from readhead.surrogates.predictions import TRIED  # noqa: PLC0415 - as above

        return [sequence.ids for sequence in self.session.corpus["dev"][:TRIED]]

    def _estimated(self, part: Part, board: Mapping[HeadId, Any], stamp: Stamp) -> dict[str, Any]:
        last: dict[str, Any] = {}
        for impact in self._estimates(board):
            last = asdict(_impacted(impact, board, stamp))
            part(last)
        return last

    def _estimates(self, board: Mapping[HeadId, Any]) -> Iterator[Impact]:
        for impact in self._measure.estimates(board):
            yield impact
            self._check()

    def switches(self, _part: Part) -> dict[str, Any]:
        """The current switchboard."""
        return asdict(self._switches())

    def _switches(self) -> Switches:
        heads = self.session.workspace.current_board(self.target.model)
        digest = hashlib.sha256(json.dumps(heads, sort_keys=True).encode()).hexdigest()[:16] if heads else ""
        return Switches(heads, digest)

    def flip(self, _part: Part, heads: dict[str, str | None]) -> dict[str, Any]:
        """Put programs (their texts) in the place of heads, or (None) the heads back; all front ends are told.

        A program that may not stand in for a head is refused, and nothing is changed.
        """
        given = {self._head(head): parse(source, name=head) for head, source in heads.items() if source is not None}
        self.session.predictions.refuse_unfit(given, self._trial_ids())
        for program in given.values():
            if program.findings:
                raise UsageError(f"the program has findings: {program.findings[0]}", hint="mend it first")
        self.session.workspace.change_board(self.target.model, heads)
        switches = asdict(self._switches())
        self._tell("switches", switches)
        return switches

    def perplexity(self, part: Part, *, details: bool = False, controls: list[str] | None = None) -> dict[str, Any]:
        """What the current switchboard does to the perplexity; parts are earlier estimates."""
        switches = self._switches()
        board = {HeadId.parse(head): parse(source, name=head) for head, source in switches.heads.items()}
        stamp = Stamp("", self.target.model, self.session.corpus.fingerprint, "dev", self.session.corpus.length,
                      switches.fingerprint)  # fmt: skip
        last = self._estimated(part, board, stamp)
        if controls:
            beside = {}
            for name in controls:
                *_, impact = self._estimates(dict.fromkeys(board, Control(name)))
                beside[name] = 100 * impact.increase
            last["controls"] = beside
        if details:
            impact = self._measure.impact(board, details=True)
            last |= {"kl": impact.divergence, "top1_agreement": impact.agreement}
        return last

    def save_board(self, _part: Part, path: str) -> dict[str, Any]:
        """The current switchboard as a file of `readhead replace --switchboard`."""
        heads = self._switches().heads
        board = {HeadId.parse(head): parse(source, name=head) for head, source in heads.items()}
        Switchboard(board, self.target.model).save(path)
        return {"path": path, "heads": len(board)}

    # ---- long work ---------------------------------------------------------------------------------------------------

    def fit(
        self, _part: Part, source: str, heads: list[str], name: str = "program", only: list[int] | None = None
    ) -> dict[str, Any]:
        """A program's constants fitted to heads; with `only`, those that begin at these bytes of the text."""
        task = (parse(source, name=name), [self._head(head) for head in heads])
        (fitted,) = self.session.fit([task], only=only or ())
        return fitted.as_dict()

    def record(self, _part: Part, source: str, name: str = "program") -> dict[str, Any]:
        """A program's text with its scores on `held-out` in its metadata, and the scores."""
        scores = measure([parse(source, name=name)], self.session)
        rows = [{"head": str(score.head), "iou": score.iou, "trivial_iou": score.trivial_iou} for score in scores]
        return {"source": with_record(source, stamp_of_record(self.session), scores), "scores": rows}

    def front(self, _part: Part, head: str, terms: int = 8) -> list[dict[str, Any]]:
        """The symbolic search's programs for a head, one for each size, with their IoU on `dev`; one is `chosen`."""
        from readhead.synthesis.front import Wanted  # noqa: PLC0415 - the search waits for torch

        wanted = Wanted(terms=terms, seed=self.session.seed)
        (found,) = self.session.write_programs(wanted, [self._head(head)]).fronts
        ranking = self.session.ranking(found.programs)
        place = self.session.model.geometry.index_of(found.head)
        scores, chosen = found.scores(ranking, place), found.chosen(ranking, place)
        return [
            {"source": program.source, "terms": program.terms, "lines": program.lines, "iou": score,
             "set_tokens": program.set_tokens, "explanation": program.explanation, "chosen": program is chosen}
            for program, score in zip(found.programs, scores, strict=True)
        ]  # fmt: skip

    def refine(self, part: Part, source: str, head: str, name: str = "program", rounds: int = 1) -> dict[str, Any]:
        """A revision of a program by the language model of the workspace's settings; parts are what it does."""
        from readhead.synthesis.ollama.run import Drafting, Row  # noqa: PLC0415 - only who asks a model waits for it

        def show(row: Row) -> None:
            part({**vars(row), "about": str(row.about)})
            self._check()

        drafting = Drafting(rounds=rounds, width=1, seed=self.session.seed)
        ((revision, _),) = self.session.refine([(parse(source, name=name), self._head(head))], drafting, show=show)
        return revision.as_dict()


METHODS: dict[str, Callable[..., Any]] = {
    method.__name__: method
    for method in (
        Works.facts, Works.score, Works.other_heads, Works.blame, Works.pattern, Works.worst_texts, Works.rank,
        Works.cards, Works.impact, Works.switches, Works.flip, Works.perplexity, Works.save_board, Works.fit,
        Works.front, Works.refine, Works.record,
    )
}  # fmt: skip
"""What front ends may call, by name."""


class _Places:
    """Bytes of a text as lines and columns, from 0; columns in characters."""

    def __init__(self, source: str) -> None:
        self._bytes = source.encode()

    def of(self, place: int) -> tuple[int, int]:
        before = self._bytes[:place].decode()
        return before.count("\n"), len(before) - (before.rfind("\n") + 1)

    def text(self, start: int, end: int) -> str:
        return self._bytes[start:end].decode()


def _impacted(impact: Impact, board: Mapping[HeadId, Any], stamp: Stamp) -> Impacted:
    told = impact.as_dict()
    return Impacted(
        stamp=asdict(stamp),
        neural_perplexity=impact.neural_perplexity,
        replaced=[str(head) for head in board],
        kl=None,
        top1_agreement=None,
        **{name: told[name] for name in (
            "perplexity", "increase_percent", "low", "high", "preliminary", "sequences", "failed"
        )},
    )  # fmt: skip


def _rounded(matrix: Any) -> list[list[float]]:  # noqa: ANN401 - an array
    rows: list[list[float]] = np.round(matrix, 4).tolist()
    return rows
