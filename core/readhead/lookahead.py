"""Whether a program looks ahead: whether a row of its prediction depends on tokens that come later.

A program that does is no explanation of a causal model: put in a head's place, it would tell the model what comes next.
`s.n` grows while text is generated, so a weight that depends on it looks ahead unless its effect cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from readhead.patterns import Array, unpack
from readhead.sandbox import Sandbox
from readhead.scoring import as_pattern
from readhead.tokens import Text

TOLERANCE = 1e-5
"""How far a weight may move when later tokens do."""


@dataclass(frozen=True)
class LookAhead:
    """The row that gave a program away."""

    query: int
    """The row that moved."""
    token: str
    """The token there."""
    change: str
    """What was done to the tokens after it: `cut off` or `replaced`."""
    by: float
    """How far its weights moved."""

    def __str__(self) -> str:
        return f"row {self.query} ({self.token!r}) moves by {self.by:.2g} when the tokens after it are {self.change}"


def find_look_ahead(
    sources: Sequence[str], texts: Sequence[Text], sandbox: Sandbox, *, cuts: int = 3
) -> list[LookAhead | None]:
    """For each program the worst row that looked ahead, or None.

    Every text is tried with the tokens after `cuts` of its positions cut off, and replaced by those of the next text
    (or its own, reversed). A text on which the program fails tells nothing.

    Args:
        sources: programs' texts.
        texts: at least one; the loaded texts of `sandbox` are replaced.
        sandbox: runs the programs.
        cuts: positions that are tried in each text.
    """
    trials = [trial for place in range(len(texts)) for trial in _trials(texts, place, cuts)]
    sandbox.load([*texts, *(trial.changed for trial in trials)])
    found: list[LookAhead | None] = []
    for run in sandbox.run_many(sources):
        changed = run.weights[len(texts) :]
        leaks = [
            leak
            for trial, weights in zip(trials, changed, strict=True)
            if (leak := _compare(trial, texts[trial.place], run.weights[trial.place], weights))
        ]
        found.append(max(leaks, key=lambda leak: leak.by, default=None))
    return found


@dataclass(frozen=True)
class _Trial:
    place: int
    """Which text was changed."""
    changed: Text
    keep: int
    """Tokens that are the same in both."""
    change: str


def _trials(texts: Sequence[Text], place: int, cuts: int) -> list[_Trial]:
    text = texts[place]
    donor = texts[(place + 1) % len(texts)].surfaces if len(texts) > 1 else text.surfaces[::-1]
    trials = []
    for keep in np.unique(np.linspace(1, len(text) - 1, cuts + 2, dtype=int)[1:-1]) if len(text) > 1 else ():
        kept = text.cut(int(keep))
        later = (donor * len(text))[: len(text) - int(keep)]
        replaced = Text(kept.surfaces + later, kept.special)
        trials += [_Trial(place, kept, int(keep), "cut off"), _Trial(place, replaced, int(keep), "replaced")]
    return trials


def _compare(trial: _Trial, text: Text, whole: Array | None, changed: Array | None) -> LookAhead | None:
    if whole is None or changed is None:
        return None
    before, after = (_rows(weights, trial.keep) for weights in (whole, changed))
    moved = np.abs(before - after).max(axis=1)
    row = int(moved.argmax())
    if moved[row] <= TOLERANCE:
        return None
    return LookAhead(row, text.surfaces[row].strip(" "), trial.change, float(moved[row]))


def _rows(weights: Array, keep: int) -> Array:
    rows: Array = unpack(as_pattern(weights), len(weights))[:keep, :keep]
    return rows
