"""The cascade: the policy, one text, a few texts, all `fit` texts. Few candidates deserve the last.

Programs of a language model run nowhere but in the sandbox. Whether generated ones may run at all is checked before one
is asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from readhead.heads import HeadId
from readhead.library import Target
from readhead.lookahead import find_look_ahead
from readhead.patterns import Array, unpack
from readhead.program import parse
from readhead.sandbox import Failure, Run, Sandbox
from readhead.scoring import as_pattern, iou, jensen_shannon_distance, trivial_patterns
from readhead.strips import strip
from readhead.synthesis.ollama.candidates import Candidate, Stage

FEW: Final = 4
_SAME: Final = 1e-3
"""Programs whose weights differ by no more behave alike."""
_FAR: Final = 0.2
"""How much farther than the best trivial program a candidate may be, in Jensen-Shannon distance, on a few texts."""
_LARGEST: Final = 64 * 1024
_EXPLAINED: Final = 24
"""Texts in which the worst rows are looked for."""

Watch = Callable[[Candidate], None]
"""Called with a candidate at every stage that it reaches."""


@dataclass(frozen=True)
class Measured:
    """How far a program's predictions are from the head on some texts."""

    jsd: float
    iou: float


class Judge:
    """Judges programs for one head, on `fit`."""

    def __init__(self, target: Target, head: HeadId, sandbox: Sandbox, *, terms: int) -> None:
        self._sandbox = sandbox
        self._terms = terms
        self._length = target.store.length
        row = target.geometry.index_of(head)
        self._texts = [sequence.text for sequence in target.corpus["fit"]]
        self._patterns = [target.store.read(place, row) for place in target.places("fit")]
        few = range(min(FEW, len(self._patterns)))
        self.floor_jsd = min(
            float(np.mean([jensen_shannon_distance(trivial, self._patterns[place], self._length) for place in few]))
            for trivial in trivial_patterns(self._length)
        )
        self._known: dict[int, Array] = {}
        """Predictions on a few texts, by candidate."""

    def measure(self, source: str) -> Measured | None:
        """A program on all texts; None where it fails on one."""
        predictions = self._predictions(source, len(self._texts))
        return None if any(prediction is None for prediction in predictions) else self._measured(predictions)

    def remember(self, number: int, source: str) -> None:
        """Count later candidates that behave like this program as its duplicates."""
        predictions = self._predictions(source, FEW)
        if all(prediction is not None for prediction in predictions):
            self._known[number] = np.stack([each for each in predictions if each is not None])

    def judge(self, candidate: Candidate, watch: Watch) -> Candidate:
        """The candidate with what became of it."""
        started = time.monotonic()
        judged = self._judge(candidate, watch)
        return replace(judged, seconds=time.monotonic() - started)

    def _judge(self, candidate: Candidate, watch: Watch) -> Candidate:
        watch(candidate)
        if len(candidate.source.encode()) > _LARGEST:
            return replace(candidate, reason="refused", detail=f"more than {_LARGEST} bytes")
        program = parse(candidate.source)
        if program.findings:
            return replace(candidate, reason="refused", detail=str(program.findings[0]))
        dropped = self._run(candidate, "one text", 1)
        if isinstance(dropped, Candidate):
            return dropped
        if program.terms > self._terms:
            return replace(candidate, reason="too large", detail=f"{program.terms} terms, {self._terms} were allowed")
        return self._compare(candidate, watch)

    def _compare(self, candidate: Candidate, watch: Watch) -> Candidate:
        few = self._run(candidate, "a few texts", FEW)
        if isinstance(few, Candidate):
            return few
        candidate = replace(candidate, stage="a few texts")
        watch(candidate)
        stacked = np.stack([prediction for prediction in few if prediction is not None])
        for number, known in self._known.items():
            if float(np.abs(known - stacked).max()) <= _SAME:
                what = f"candidate {number}" if number else "the program it started from"
                return replace(candidate, reason="duplicate", detail=f"predicts what {what} does")
        distance = self._measured(few).jsd
        if distance > self.floor_jsd + _FAR:
            return replace(
                candidate,
                reason="far off",
                detail=f"Jensen-Shannon distance {distance:.2f}, the best trivial program's is {self.floor_jsd:.2f}",
            )
        judged = self._finish(replace(candidate, stage="all texts"), watch)
        if judged.is_eligible:  # one that looks ahead must not keep out a causal one that predicts the same
            self._known[candidate.number] = stacked
        return judged

    def _finish(self, candidate: Candidate, watch: Watch) -> Candidate:
        watch(candidate)
        predictions = self._predictions(candidate.source, len(self._texts))
        measured = self._measured(predictions)
        (leak,) = find_look_ahead([candidate.source], self._texts[:FEW], self._sandbox)
        return replace(
            candidate,
            jsd=measured.jsd,
            iou=measured.iou,
            failed=sum(prediction is None for prediction in predictions),
            look_ahead=str(leak) if leak else "",
        )

    def refit(self, candidate: Candidate, source: str) -> Candidate:
        """The candidate with other constants."""
        distance, judged = candidate.as_judged
        changed = replace(candidate, source=source, first_source=judged, first_jsd=distance)
        return self._finish(changed, lambda _: None)

    def _run(self, candidate: Candidate, stage: Stage, texts: int) -> Candidate | list[Array | None]:
        """Predictions on the first texts; where the candidate fails on one, the dropped candidate."""
        run = self._raw(candidate.source, texts)
        if run.failures:
            failure = run.failures[0]
            refused = failure.kind == "refused"
            return replace(
                candidate,
                stage="policy" if refused else stage,
                reason="refused" if refused else "failed",
                detail=_told(failure),
            )
        return [None if weights is None else as_pattern(weights) for weights in run.weights]

    def _raw(self, source: str, texts: int) -> Run:
        self._sandbox.load(self._texts[:texts])
        return self._sandbox.run(source, generated=True)

    def _predictions(self, source: str, texts: int) -> list[Array | None]:
        return [None if weights is None else as_pattern(weights) for weights in self._raw(source, texts).weights]

    def _measured(self, predictions: list[Array | None]) -> Measured:
        distances, shares = [], []
        for prediction, pattern in zip(predictions, self._patterns, strict=False):
            distances.append(1.0 if prediction is None else jensen_shannon_distance(prediction, pattern, self._length))
            shares.append(0.0 if prediction is None else iou(prediction, pattern))
        return Measured(float(np.mean(distances)), float(np.mean(shares)))

    def failures(self, source: str, count: int = 6) -> str:
        """The rows that a program predicts worst, one a text, as strips: real above program."""
        worst = []
        for place, prediction in enumerate(self._predictions(source, _EXPLAINED)):
            if prediction is None:
                continue
            real, guessed = (unpack(packed, self._length) for packed in (self._patterns[place], prediction))
            shared = np.minimum(real, guessed).sum(axis=1)
            query = int(shared[1:].argmin()) + 1
            tokens = self._texts[place].surfaces
            lines = f"real:    {strip(tokens, real[query], query)}\nprogram: {strip(tokens, guessed[query], query)}"
            worst.append((float(shared[query]), lines))
        return "\n\n".join(lines for _, lines in sorted(worst)[:count])


def _told(failure: Failure) -> str:
    place = f"line {failure.line}: " if failure.line else ""
    hint = f" ({failure.hint})" if failure.hint else ""
    code = f"{failure.code} " if failure.code else ""
    kind = "" if failure.kind == "refused" else f"{failure.kind}: "
    return f"{place}{code}{kind}{failure.message}{hint}"
