"""Programs on heads: scores, blame, patterns, the ranking of all and the cards of all heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from readhead.blame import parts_of
from readhead.corpus import tokenize
from readhead.engine.bench import AT_ONCE, Bench, Send
from readhead.engine.results import Blame, Card, Scored, text_stamp
from readhead.library import predict, score_pairs
from readhead.patterns import Array, read_packed, unpack
from readhead.program import parse
from readhead.scores import HeadScore
from readhead.scoring import INACTIVE, iou
from readhead.session import check_length

_SHOWN = 6
"""Programs on a head's card, the best included."""


class OnHeads:
    """Programs against a bench's patterns."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._session = bench.session
        self._target = bench.target

    def score(
        self, _part: Send, source: str, heads: list[str], name: str = "program", mistakes: int = 5
    ) -> list[dict[str, Any]]:
        """A program on heads, on `dev`."""
        program = parse(source, name=name)
        pairs = [(program, self._bench.head(head)) for head in heads]
        scores = score_pairs(
            pairs, self._target, self._session.sandbox, part="dev", mistakes=mistakes, floor=self._bench.floor
        )
        return [asdict(self._scored(score)) for score in scores]

    def _scored(self, score: HeadScore) -> Scored:
        rank, of = None, None
        ranking = self._bench.ranking
        if ranking is not None:
            column = ranking.iou[:, self._bench.place(score.head)]
            others = [k for k, other in enumerate(ranking.programs) if other.name != score.program.name]
            rank, of = int((column[others] > score.iou).sum()) + 1, len(others) + 1
        return Scored(
            head=str(score.head),
            stamp=asdict(self._bench.stamp(score.program)),
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

    def other_heads(self, _part: Send, source: str, name: str = "program") -> list[dict[str, Any]]:
        """All heads in the order of a program's IoU on `dev`, with floors."""
        program = parse(source, name=name)
        if program.findings:
            return []
        ranking = self._session.ranking([program])
        found = []
        for place, head in enumerate(self._session.model.geometry.head_ids()):
            trivial, floor = self._bench.floor.best(place)
            value = float(ranking.iou[0, place])
            found.append({"head": str(head), "iou": value, "trivial": trivial, "trivial_iou": floor})
        return sorted(found, key=lambda row: -row["iou"])

    def blame(self, _part: Send, source: str, head: str, name: str = "program") -> list[dict[str, Any]]:
        """What each part of a program earns on a head."""
        parts = parts_of(source)
        texts = self._target.corpus["dev"]
        programs = [parse(source, name=name), *(parse(part.without, name=name) for part in parts)]
        patterns = self._dev_patterns(head)
        reached: list[float] = []
        for start in range(0, len(programs), AT_ONCE):
            self._bench.check()
            for predictions, _ in predict(programs[start : start + AT_ONCE], texts, self._session.sandbox):
                reached.append(float(np.mean(_ious(predictions, patterns))))
        place = _Places(source)
        return [
            asdict(Blame(place.of(part.start), place.of(part.end), place.text(part.start, part.end),
                         reached[0] - without, part.without))
            for part, without in zip(parts, reached[1:], strict=True)
        ]  # fmt: skip

    def pattern(
        self, _part: Send, head: str, source: str = "", name: str = "program", sequence: int = 0, text: str = ""
    ) -> dict[str, Any]:
        """A head's pattern and a program's prediction on one text; no prediction where the program fails on it."""
        row = self._bench.place(self._bench.head(head))
        place: dict[str, Any] = {}
        if text:
            model = self._session.model
            chosen = tokenize(model.tokenizer, text)
            check_length(model, len(chosen.ids))
            packed = read_packed(model, [chosen])[0, row].astype(np.float32)
        else:
            chosen = self._target.corpus["dev"][sequence]
            packed = self._target.store.read(self._target.places("dev")[sequence], row)
            place = {"sequence": sequence, "of": len(self._target.corpus["dev"])}
        length = len(chosen.ids)
        prediction = None
        if source:
            ((predictions, _),) = predict([parse(source, name=name)], [chosen], self._session.sandbox)
            prediction = None if predictions[0] is None else _rounded(unpack(predictions[0], length))
        return {
            "head": head,
            **place,
            "tokens": list(chosen.text.surfaces),
            "pattern": _rounded(unpack(packed, length)),
            "prediction": prediction,
        }

    def worst_texts(self, _part: Send, source: str, head: str, name: str = "program") -> list[dict[str, Any]]:
        """The `dev` texts in the order in which a program fails on them: the lowest IoU first."""
        patterns = self._dev_patterns(head)
        ((predictions, _),) = predict([parse(source, name=name)], self._target.corpus["dev"], self._session.sandbox)
        found = [
            {"sequence": number, "iou": value, "failed": predictions[number] is None}
            for number, value in enumerate(_ious(predictions, patterns))
        ]
        return sorted(found, key=lambda each: each["iou"])

    def _dev_patterns(self, head: str) -> list[Array]:
        row = self._bench.place(self._bench.head(head))
        return [self._target.store.read(place, row) for place in self._target.places("dev")]

    # ---- all heads ---------------------------------------------------------------------------------------------------

    def rank(self, _part: Send) -> list[dict[str, Any]]:
        """All programs against all heads; the cards of the heads."""
        programs = [program for program in self._session.library() if not program.findings]
        self._bench.ranking = self._session.ranking(programs)
        return self.cards(_part)

    def cards(self, _part: Send) -> list[dict[str, Any]]:
        """What is known of every head, layer by layer."""
        board = self._session.workspace.current_board(self._target.model)
        cards = []
        for place, head in enumerate(self._session.model.geometry.head_ids()):
            trivial, floor = self._bench.floor.best(place)
            inactive = bool(self._bench.floor.first_mass[place] >= INACTIVE)
            mode = "program" if str(head) in board else "neural"
            known = self._best(place)
            cards.append(asdict(Card(str(head), trivial, floor, inactive, mode=mode, **known)))
        return cards

    def _best(self, place: int) -> dict[str, Any]:
        ranking = self._bench.ranking
        if ranking is None:
            return {}
        column = ranking.iou[:, place]
        order = ranking.order(place)[:_SHOWN]
        listed = [ranking.programs[k] for k in order]
        best = listed[0]
        others = [
            {"name": program.name, "path": str(program.path or ""), "iou": float(column[k]), "terms": program.terms}
            for k, program in zip(order, listed, strict=True)
        ]
        return {"best": best.name, "best_iou": others[0]["iou"], "text": text_stamp(best.source),
                "explanation": best.explanation, "category": best.metadata.category, "path": str(best.path or ""),
                "others": others}  # fmt: skip


class _Places:
    """Bytes of a text as lines and columns, from 0; columns in characters."""

    def __init__(self, source: str) -> None:
        self._bytes = source.encode()

    def of(self, place: int) -> tuple[int, int]:
        before = self._bytes[:place].decode()
        return before.count("\n"), len(before) - (before.rfind("\n") + 1)

    def text(self, start: int, end: int) -> str:
        return self._bytes[start:end].decode()


def _ious(predictions: Sequence[Array | None], patterns: Sequence[Array]) -> list[float]:
    """Of each text; 0 where a program gave nothing."""
    pairs = zip(predictions, patterns, strict=True)
    return [0.0 if prediction is None else iou(prediction, pattern) for prediction, pattern in pairs]


def _rounded(matrix: Any) -> list[list[float]]:  # noqa: ANN401 - an array
    rows: list[list[float]] = np.round(matrix, 4).tolist()
    return rows
