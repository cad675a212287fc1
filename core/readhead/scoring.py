"""How well a prediction matches a pattern. Pure functions of arrays; nothing here writes into what it was given.

Patterns and predictions are packed (`readhead.patterns`): `[..., triangle]`, rows sum to 1. For two such matrices with
n rows, `m = Σ min(A, P)` gives `IoU = m / (2n - m)`, because `Σ min + Σ max = 2n`. That holds for row-stochastic
matrices only.

Source: IoU and Jensen-Shannon distance as in "Explaining Attention with Program Synthesis", arXiv 2606.19317.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from readhead.patterns import Array, divide_rows, pack, row_starts, row_sums, unpack

TRIVIAL = ("first token", "previous token", "self", "uniform")
"""The trivial programs: the floor that any explanation has to beat."""
INACTIVE = 0.9
"""From this mean mass on the first token on a head is inactive, not explained."""
_LARGEST = 1e30
_BLOCK = 1 << 18
"""Numbers of a block of predictions that is compared with one pattern: a block stays in a core's own cache."""


def as_pattern(weights: Array) -> Array:
    """What the harness makes of a program's raw weights `[n, n]`: the prediction, packed.

    Negative weights and NaN count as 0, an infinite one as larger than any finite one; keys after the query are
    masked; rows are divided by their sums; an empty row falls to the first token.
    """
    length = len(weights)
    packed = np.nan_to_num(pack(weights), nan=0.0, posinf=_LARGEST, neginf=0.0).clip(0, _LARGEST)
    totals = row_sums(packed, length)
    packed[row_starts(length)[totals == 0]] = 1.0
    totals[totals == 0] = 1.0
    return divide_rows(packed, totals)


def trivial_patterns(length: int) -> Array:
    """`[4, triangle]`: first token, previous token (the first token looks at itself), self, uniform."""
    first = np.zeros((length, length), np.float32)
    first[:, 0] = 1
    previous = np.eye(length, k=-1, dtype=np.float32)
    previous[0, 0] = 1
    uniform = np.tri(length, dtype=np.float32)
    return np.stack([as_pattern(weights) for weights in (first, previous, np.eye(length, dtype=np.float32), uniform)])


def overlaps(predictions: Array, patterns: Array) -> Array:
    """Every prediction against every pattern of one sequence: `Σ min`, `[predictions, patterns]`, from 0 to n.

    Args:
        predictions: `[programs, triangle]`.
        patterns: `[heads, triangle]`.
    """
    programs, size = predictions.shape
    rows = max(1, _BLOCK // size)
    result = np.empty((programs, len(patterns)), np.float32)
    smaller = np.empty((min(rows, programs), size), np.float32)
    for start in range(0, programs, rows):
        block = predictions[start : start + rows]
        shared = smaller[: len(block)]
        for head, pattern in enumerate(patterns):
            np.minimum(block, pattern, out=shared)
            # einsum adds up rows faster than sum, and unlike a product with ones it starts no threads of its own
            np.einsum("ij->i", shared, out=result[start : start + rows, head])
    return result


def iou_of_overlap(overlap: npt.NDArray[np.floating], length: int) -> npt.NDArray[np.float64]:
    """IoU from `Σ min` of row-stochastic matrices with `length` rows; 0 to 1."""
    shared = np.asarray(overlap, np.float64)
    return shared / (2 * length - shared)


def iou(a: Array, b: Array) -> float:
    """`Σ min(a, b) / Σ max(a, b)` of any two non-negative arrays of one shape; 0 to 1; two empty ones give 1.

    Source: arXiv 2606.19317, the measure by which programs are ranked.
    """
    larger = float(np.maximum(a, b).sum(dtype=np.float64))
    return float(np.minimum(a, b).sum(dtype=np.float64)) / larger if larger else 1.0


def iou_without_first(a: Array, b: Array, length: int) -> float | None:
    """IoU of two packed patterns without their first key column, not renormalised; None where nothing is left."""
    smaller, larger = np.minimum(a, b), np.maximum(a, b)
    for bound in (smaller, larger):
        bound[row_starts(length)] = 0.0
    whole = float(larger.sum(dtype=np.float64))
    return float(smaller.sum(dtype=np.float64)) / whole if whole else None


def rows_without_rest(a: Array, b: Array, length: int) -> int:
    """Rows after the first in which both packed patterns lie wholly on the first key: 0/0 without that column."""
    larger = np.maximum(a, b)
    larger[row_starts(length)] = 0.0
    return int((row_sums(larger, length)[1:] == 0).sum())


def jensen_shannon_distance(a: Array, b: Array, length: int) -> float:
    """Square root of the base-2 Jensen-Shannon divergence of each row, mean over rows; 0 to 1, lower is closer."""
    p, q = np.asarray(a, np.float64), np.asarray(b, np.float64)
    middle = (p + q) / 2

    def divergence(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        ratio = np.divide(x, middle, out=np.ones_like(x), where=x > 0)
        return np.add.reduceat(x * np.log2(ratio), row_starts(length))

    rows = (divergence(p) + divergence(q)) / 2
    return float(np.sqrt(rows.clip(0, 1)).mean())


def first_token_mass(patterns: Array, length: int) -> Array:
    """`[...]`: the mean weight on the first key over the rows of packed patterns."""
    mass: Array = patterns[..., row_starts(length)].mean(axis=-1)
    return mass


@dataclass(frozen=True)
class Mistake:
    """One row that a program predicts badly."""

    sequence: int
    """Number of the sequence in its part of the corpus."""
    query: int
    """Position that looks."""
    token: str
    """The token there."""
    real: str
    """The token that the head looks at most."""
    real_weight: float
    predicted: str
    """The token that the program looks at most."""
    predicted_weight: float
    overlap: float
    """What the two rows share, 0 to 1."""

    def __str__(self) -> str:
        return (
            f"sequence {self.sequence}, token {self.query} {self.token!r}: the head looks at {self.real!r} "
            f"({self.real_weight:.2f}), the program at {self.predicted!r} ({self.predicted_weight:.2f})"
        )


def worst_rows(prediction: Array, pattern: Array, tokens: Sequence[str], *, sequence: int, count: int) -> list[Mistake]:
    """The `count` rows of one sequence in which prediction and pattern share least, row 0 left out."""
    length = len(tokens)
    predicted, real = unpack(prediction, length), unpack(pattern, length)
    shared = np.minimum(predicted, real).sum(axis=1)
    mistakes = []
    for query in np.argsort(shared[1:], kind="stable")[:count] + 1:
        looked, guessed = int(real[query].argmax()), int(predicted[query].argmax())
        mistakes.append(
            Mistake(
                sequence=sequence,
                query=int(query),
                token=tokens[query],
                real=tokens[looked],
                real_weight=float(real[query, looked]),
                predicted=tokens[guessed],
                predicted_weight=float(predicted[query, guessed]),
                overlap=float(shared[query]),
            )
        )
    return mistakes


def available_threads() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
