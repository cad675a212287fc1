"""Terms with weights, and how the weights are fitted to one head's patterns by damped natural gradient.

There are two losses, means over rows: the Jensen-Shannon divergence in nats, and the *overlap*: 1 minus what prediction
and pattern share, which is all that the IoU of row-stochastic matrices depends on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal

import torch

from readhead.synthesis.basis import Term
from readhead.synthesis.evidence import Evidence

Loss = Literal["divergence", "overlap"]

CURVATURE: Final[dict[Loss, float]] = {"divergence": 0.25, "overlap": 0.5}
"""Curvature of a loss, as a share of the Fisher information: exact for the divergence of equal distributions."""
STILL: Final = 1e-5
"""A step of the weights that gains less is the last, and a term that gains less is not added."""
_TINY: Final = 1e-12


@dataclass(frozen=True)
class Fit:
    """Terms with their weights, and how they do on the evidence that they were fitted to."""

    terms: tuple[Term, ...]
    weights: torch.Tensor
    """`[terms]`, float32."""
    loss: float


class Bench:
    """One head's patterns on one view of the evidence, with the terms' values at hand."""

    def __init__(self, evidence: Evidence, patterns: torch.Tensor) -> None:
        self.evidence = evidence
        self.patterns = patterns
        self.rows = patterns.shape[0] * patterns.shape[1]
        self._entropy = (patterns * torch.log(patterns + _TINY)).sum()
        self._stacked: tuple[tuple[Term, ...], torch.Tensor] = ((), patterns[None][:0])

    def values(self, terms: tuple[Term, ...]) -> torch.Tensor:
        """`[terms, S, m, n]`; those of the last call are at hand."""
        known, stacked = self._stacked
        if terms != known:
            places = {term: place for place, term in enumerate(known)}
            values = [stacked[places[term]] if term in places else self.evidence.of_term(term) for term in terms]
            self._stacked = (terms, torch.stack(values) if values else self.patterns[None][:0])
        return self._stacked[1]

    def scores(self, terms: tuple[Term, ...], weights: torch.Tensor) -> torch.Tensor:
        """`[S, m, n]`."""
        if not terms:
            return torch.zeros_like(self.patterns)
        return (weights @ self.values(terms).reshape(len(terms), -1)).view_as(self.patterns)

    def predict(self, scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What the scores predict, `[S, m, n]`, and its logarithm."""
        seen = scores + self.evidence.closed
        return torch.softmax(seen, -1), torch.log_softmax(seen, -1)  # exp() is slow where nothing is seen

    def loss(self, scores: torch.Tensor, kind: Loss = "divergence") -> float:
        """Mean over rows."""
        return self.loss_and_slope(scores, kind)[0]

    def loss_and_slope(self, scores: torch.Tensor, kind: Loss = "divergence") -> tuple[float, Slope]:
        """The loss, and its gradient by the scores, computed when it is asked for."""
        predicted, logarithm = self.predict(scores)
        if kind == "overlap":
            loss = 1 - torch.minimum(predicted, self.patterns).sum() / self.rows
            return float(loss), Slope(predicted, lambda: -(predicted < self.patterns).float(), self.rows)
        both = predicted + self.patterns
        middle = torch.log(both / 2 + _TINY)
        apart = self._entropy + torch.dot(predicted.flatten(), logarithm.flatten().clamp_min(-100))
        loss = (apart - torch.dot(both.flatten(), middle.flatten())) / (2 * self.rows)
        return float(loss), Slope(predicted, lambda: (logarithm.clamp_min(-100) - middle) / 2, self.rows)


@dataclass(frozen=True)
class Slope:
    """A loss' gradient by the scores."""

    predicted: torch.Tensor
    by_share: Callable[[], torch.Tensor]
    rows: int

    def __call__(self) -> torch.Tensor:
        """`[S, m, n]`."""
        by_share = self.by_share()
        return self.predicted * (by_share - (self.predicted * by_share).sum(-1, keepdim=True)) / self.rows


def fisher_information(values: torch.Tensor, predicted: torch.Tensor) -> torch.Tensor:
    """`[terms, terms]`: Fisher information of the weights, mean over rows."""
    count = len(values)
    weighted = values * predicted
    means = weighted.sum(-1).reshape(count, -1)
    second = weighted.reshape(count, -1) @ values.reshape(count, -1).T
    return (second - means @ means.T) / means.shape[1]


def fit_weights(bench: Bench, fit: Fit, kind: Loss = "divergence", steps: int = 4) -> Fit:
    """The weights that make the loss small, from those of `fit` on; never a worse fit."""
    terms, weights = fit.terms, fit.weights
    loss, slope = bench.loss_and_slope(bench.scores(terms, weights), kind)
    if not terms:
        return replace(fit, loss=loss)
    values = bench.values(terms)
    curvature = fisher_information(values, slope.predicted) * CURVATURE[kind]
    damping = 1e-3
    for _ in range(steps):
        toward = values.reshape(len(terms), -1) @ slope().reshape(-1)
        before = loss
        for _ in range(5):
            damped = curvature + torch.diag(curvature.diagonal() * damping + 1e-7)
            moved = weights - torch.linalg.solve(damped, toward)
            then, slope_then = bench.loss_and_slope(bench.scores(terms, moved), kind)
            if then < loss:
                weights, loss, slope, damping = moved, then, slope_then, damping / 4
                break
            damping = max(damping * 8, 1e-2)
        if before - loss < STILL:
            break
    return Fit(terms, weights, loss)
