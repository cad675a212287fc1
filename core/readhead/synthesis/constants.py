"""Fitting a program's constants to heads, on the `fit` texts, with the rest of its text untouched.

1. Find the free constants in the text (`readhead.synthesis.literals`).
2. Move all of them at once: run the program with each constant a little larger, and step along two directions, that of
   the IoU itself and a smooth one, which gets farther from far away. Take the best of several lengths.
3. Move each of them alone, near and far: a threshold has no slope. Repeat 2 and 3 while they gain.
4. Keep the old text unless the new one is better on `fit` and as good on `dev`.

The program is a black box: every trial is a text of its own that runs in the sandbox, and counts with the digits that
it has there. The same text, texts and heads always give the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from readhead.corpus import Part, TokenSequence
from readhead.errors import ProgramError, UsageError
from readhead.heads import HeadId
from readhead.library import Report, Target, predict
from readhead.patterns import Array
from readhead.program import Program
from readhead.sandbox import Failure, Sandbox
from readhead.scoring import iou_of_overlap, overlaps
from readhead.synthesis.literals import Constant, free_constants, with_values

__all__ = ["Change", "Constant", "Fitted", "fit_constants", "free_constants", "with_values"]

Values = npt.NDArray[np.float64]
"""`[constants]`."""

ROUNDS = 8
_FEW = 16
"""Texts on which the first round works."""
_LEAST = 5e-5
"""What a move has to gain."""
_WORSE = 1e-3
"""How far `dev` may fall."""
_SIMPLER = 2e-4
"""What two digits may cost against three."""
_STEPS = 4
"""Steps of a round that move all constants at once."""
_LENGTHS = (1.0, 0.4, 0.1)
_DAMPING = 1e-2
_NEAR = 0.02
"""Where a weight counts as right: closer, the IoU's slope is no longer that of a distance."""
_FACTORS = (-1.0, 0.0, 0.5, 0.8, 0.97, 1.03, 1.25, 2.0)
"""What a constant is multiplied by where it moves alone."""
_FELT = 1e-5
"""A constant that moves less of a row's weight than this, when it moves by a hundredth, has no slope."""
_JACOBIAN_BYTES = 128 << 20


@dataclass(frozen=True)
class Change:
    """One constant that moved."""

    line: int
    """In the program, from 1."""
    old: float
    new: float


@dataclass(frozen=True)
class Fitted:
    """What came of fitting a program's constants."""

    program: Program
    """As it was."""
    heads: tuple[HeadId, ...]
    source: str
    """The new text, or the old one where that is kept."""
    constants: int
    """How many were free."""
    changes: tuple[Change, ...]
    """Those that moved, in reading order."""
    fit_before: float
    """IoU, mean over heads and the sequences of `fit`."""
    fit_after: float
    """That of `source`, like `dev_after`."""
    dev_before: float
    dev_after: float
    rounds: int
    """How many it took."""
    kept: str = ""
    """Why the old text is kept; empty where it is not."""

    def as_dict(self) -> dict[str, Any]:
        """One row of `readhead fit --json`."""
        return {
            "file": str(self.program.path or self.program.name),
            "program": self.program.name,
            "heads": [str(head) for head in self.heads],
            "constants": self.constants,
            "changes": [asdict(change) for change in self.changes],
            "fit": {"before": self.fit_before, "after": self.fit_after},
            "dev": {"before": self.dev_before, "after": self.dev_after},
            "rounds": self.rounds,
            "kept": self.kept or None,
            "source": self.source,
        }


def fit_constants(
    program: Program,
    heads: Sequence[HeadId],
    target: Target,
    sandbox: Sandbox,
    *,
    rounds: int = ROUNDS,
    only: Collection[int] = (),
    report: Report | None = None,
) -> Fitted:
    """Move a program's free constants to where its IoU with the heads' patterns is best.

    Args:
        program: any program, with free constants as in `readhead.synthesis.literals`.
        heads: at least one; with several, what counts is the mean of their IoUs.
        target: whose `fit` texts decide, and whose `dev` texts may object.
        sandbox: runs every trial.
        rounds: of moves at most; it ends sooner where they gain nothing more.
        only: the first bytes of those constants that may move; by default all of them.
        report: called after each round with the stage `fit`.

    Raises:
        ProgramError: if the program has findings, or fails on a text of `fit` or `dev`.
        UsageError: if nothing in it is free, or there is no such head.
    """
    constants = fittable_constants(program, only)
    start = np.array([constant.value for constant in constants])
    trials_on = _Trials.of(program, constants, heads, target, sandbox)
    trials, on_dev = trials_on("fit"), trials_on("dev")
    before, dev_before = trials.first_score(start), on_dev.first_score(start)
    values, taken = _search(trials, start, rounds, report)
    values = _tidy(trials, values, start)
    after = trials.scores([values])[0]
    dev_after = on_dev.scores([values])[0]
    kept = ""
    if after <= before + _LEAST:
        kept = "nothing better was found"
    elif dev_after < dev_before - _WORSE:
        kept = f"better on fit, worse on dev: the IoU would fall from {dev_before:.4f} to {dev_after:.4f} there"
    if kept:
        values, after, dev_after = start, before, dev_before
    moved = [(c, float(new)) for c, new in zip(constants, values, strict=True) if new != c.value]
    return Fitted(
        program=program,
        heads=tuple(heads),
        source=with_values(program.source, constants, values.tolist()),
        constants=len(constants),
        changes=tuple(Change(constant.line, constant.value, new) for constant, new in moved),
        fit_before=before,
        fit_after=after,
        dev_before=dev_before,
        dev_after=dev_after,
        rounds=taken,
        kept=kept,
    )


def fittable_constants(program: Program, only: Collection[int] = ()) -> list[Constant]:
    """The free constants of a program that can be fitted; with `only`, those that begin at these bytes.

    Raises:
        ProgramError: if it has findings.
        UsageError: if nothing in it is free, or one of `only` is not.
    """
    name = program.path or program.name
    if program.findings:
        raise ProgramError(f"{name}:{program.findings[0]}", hint="mend the file, then fit it")
    constants = free_constants(program.source)
    if not constants:
        raise UsageError(
            f"{name} has no constant to fit",
            hint="mark a literal with `# free` behind its line, or write it as a float; counts and places stay",
        )
    wanted = [constant for constant in constants if constant.start in only] if only else constants
    if only and len(wanted) < len(only):
        lines = ", ".join(sorted({str(constant.line) for constant in constants}, key=int))
        raise UsageError(
            f"{name}: what stands there is no constant that is free to move", hint=f"free ones are in lines {lines}"
        )
    return wanted


@dataclass(frozen=True)
class _Trials:
    """Runs one program with other constants on some texts, and scores what it gives."""

    program: Program
    constants: Sequence[Constant]
    sandbox: Sandbox
    sequences: Sequence[TokenSequence]
    patterns: Array
    """`[texts, heads, triangle]`."""

    @classmethod
    def of(
        cls, program: Program, constants: Sequence[Constant], heads: Sequence[HeadId], target: Target, sandbox: Sandbox
    ) -> Callable[[Part], _Trials]:
        """Trials on the texts of a part."""
        rows = [target.geometry.index_of(head) for head in heads]

        def on(part: Part) -> _Trials:
            patterns = [[target.store.read(place, row) for row in rows] for place in target.places(part)]
            return cls(program, constants, sandbox, target.corpus[part], np.array(patterns))

        return on

    def first(self, texts: int) -> _Trials:
        """The same on no more than the first few texts."""
        return replace(self, sequences=self.sequences[:texts], patterns=self.patterns[:texts])

    def first_score(self, values: Values) -> float:
        """The IoU of the text as it was given.

        Raises:
            ProgramError: if the program fails on a text.
        """
        ((predictions, failures),) = self._run([values])
        if failures:
            failure = failures[0]
            line = f", line {failure.line}" if failure.line else ""
            raise ProgramError(
                f"{self.program.path or self.program.name}{line}: {failure.message}",
                hint=failure.hint or "mend the program, then fit it",
            )
        return self._score(predictions)

    def scores(self, candidates: Sequence[Values]) -> list[float]:
        """For each candidate the IoU, mean over heads and texts; -1 for one with which the program fails."""
        return [self._score(predictions) for predictions, _ in self._run(candidates)]

    def predictions(self, candidates: Sequence[Values]) -> Iterator[Array | None]:
        """For each candidate `[texts, triangle]`; None for one with which the program fails."""
        for predictions, _ in self._run(candidates):
            given = [prediction for prediction in predictions if prediction is not None]
            yield np.stack(given) if len(given) == len(predictions) else None

    def _run(self, candidates: Sequence[Values]) -> Iterator[tuple[list[Array | None], tuple[Failure, ...]]]:
        texts = [with_values(self.program.source, self.constants, values.tolist()) for values in candidates]
        return predict([replace(self.program, source=text) for text in texts], self.sequences, self.sandbox)

    def _score(self, predictions: Sequence[Array | None]) -> float:
        total = 0.0
        for prediction, patterns, sequence in zip(predictions, self.patterns, self.sequences, strict=True):
            if prediction is None:
                return -1.0
            total += float(iou_of_overlap(overlaps(prediction[None], patterns), len(sequence.ids)).mean())
        return total / len(predictions)


# Search


def _search(trials: _Trials, values: Values, rounds: int, report: Report | None) -> tuple[Values, int]:
    """The best values that were found, with three digits where they moved, and the rounds that it took."""
    values = _descend(trials.first(_FEW), values)
    best = trials.scores([values])[0]
    for taken in range(1, rounds + 1):
        before = best
        values, best = _sweep(trials, _descend(trials, values))
        if report:
            report("fit", taken, rounds)
        if best <= before + _LEAST:
            return values, taken
    return values, rounds


def _descend(trials: _Trials, values: Values) -> Values:
    """Move all constants at once, while that gains."""
    best = trials.scores([values])[0]
    for _ in range(_STEPS):
        candidates = [_rounded(values + step, values) for step in _steps(trials, values)]
        scores = trials.scores(candidates)
        place = int(np.argmax(scores)) if scores else 0
        if not scores or scores[place] <= best + _LEAST:
            break
        values, best = candidates[place], scores[place]
    return values


def _steps(trials: _Trials, values: Values) -> list[Values]:
    """Steps that may lead to a better IoU, `[constants]` each; none where nothing has a slope.

    With P the prediction and A a pattern, both directions are Gauss-Newton's, for a weighted sum of squares of A - P:
    weights 1 / |A - P| make that the L1 distance, which is all that the IoU of row-stochastic matrices depends on, and
    weights 1 / (√A + √P)² the squared Hellinger distance, which is smooth.
    """
    texts = max(1, _JACOBIAN_BYTES // (4 * trials.patterns.shape[-1] * (len(values) + 4)))
    trials = trials.first(texts)
    nudges = np.maximum(np.abs(values), 0.1) / 100
    now, *nudged = trials.predictions([values, *(values + np.diag(nudges))])
    if now is None:
        return []
    slopes = np.zeros((len(values), now.size), np.float32)
    for slope, there, nudge in zip(slopes, nudged, nudges, strict=True):
        if there is not None and np.abs(there - now).sum() > _FELT * len(trials.sequences):
            slope[:] = (there - now).ravel() / nudge
    steps = []
    for weigh in (_by_distance, _by_roots):
        gradient, curvature = np.zeros(len(values)), np.zeros((len(values), len(values)))
        for head in range(trials.patterns.shape[1]):
            pattern = trials.patterns[:, head].ravel()
            weighted = slopes * weigh(pattern, now.ravel())
            gradient += weighted @ (pattern - now.ravel())
            curvature += weighted @ slopes.T
        diagonal = np.diag(curvature)
        step = np.linalg.solve(curvature + np.diag(_DAMPING * diagonal + (diagonal == 0)), gradient)
        reach = 2 * np.abs(values) + 1
        steps += [np.clip(step * length, -reach, reach) for length in _LENGTHS]
    return [step for step in steps if step.any()]


def _by_distance(pattern: Array, prediction: Array) -> Array:
    weights: Array = 1 / np.maximum(np.abs(pattern - prediction), _NEAR)
    return weights


def _by_roots(pattern: Array, prediction: Array) -> Array:
    weights: Array = 1 / np.maximum(np.sqrt(pattern) + np.sqrt(prediction), _NEAR) ** 2
    return weights


def _sweep(trials: _Trials, values: Values) -> tuple[Values, float]:
    """Move each constant alone, then together those that gained: the best, and its IoU.

    A constant that is 0 moves as far as one that is 1.
    """
    alone = [
        _rounded(values + np.eye(len(values))[place] * (value or 1.0) * (factor - 1), values)
        for place, value in enumerate(values)
        for factor in _FACTORS
    ]
    best, *scores = trials.scores([values, *alone])
    gaining = [place for place in np.argsort(scores)[::-1] if scores[place] > best + _LEAST]
    joint, joints = values.copy(), []
    for place in gaining:
        movable = (alone[place] != values) & (joint == values)
        joint = np.where(movable, alone[place], joint)
        joints += [joint] if movable.any() else []
    if joints:
        joint_scores = trials.scores(joints)
        place = int(np.argmax(joint_scores))
        return joints[place], joint_scores[place]
    return values, best


def _tidy(trials: _Trials, values: Values, start: Values) -> Values:
    """The values with two digits, where those are as good as three."""
    short = _rounded(values, start, 2)
    before, after = trials.scores([values, short])
    return short if after >= before - _SIMPLER else values


def _rounded(values: Values, old: Values, digits: int = 3) -> Values:
    """The values that differ from `old`, with so many significant digits; the others as they are."""
    return np.array([v if v == o else float(f"{v:.{digits}g}") for v, o in zip(values, old, strict=True)])
