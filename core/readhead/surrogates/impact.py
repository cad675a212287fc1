"""What a switchboard does to a model's perplexity, as values; no torch.

Source of the measure: perplexity with heads replaced as in "Explaining Attention with Program Synthesis",
arXiv 2606.19317; the paired bootstrap over sequences is ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from readhead.heads import HeadId

Losses = npt.NDArray[np.float64]
"""`[sequences]`: the total loss of each, in nats."""

RESAMPLES: Final = 2000
ENOUGH: Final = 16
"""Sequences under which an estimate is preliminary, and has no interval."""


@dataclass(frozen=True)
class Impact:
    """A switchboard's perplexity beside the neural model's, on the same sequences."""

    neural: Losses = field(repr=False)
    hybrid: Losses = field(repr=False)
    predicted: int
    """Tokens that are predicted in each sequence: all but the first."""
    replaced: int
    """Heads in program mode."""
    failed: Mapping[HeadId, int] = field(default_factory=dict)
    """Sequences on which a head was neural because its program failed there."""
    divergence: float | None = None
    """KL divergence of the hybrid's next-token distribution from the neural model's, mean over tokens, in nats."""
    agreement: float | None = None
    """Share of tokens after which both models expect the same token most; 0 to 1."""
    seed: int = 0

    @property
    def sequences(self) -> int:
        """Sequences that were measured."""
        return len(self.neural)

    @property
    def preliminary(self) -> bool:
        """Whether there are too few sequences for an interval."""
        return self.sequences < ENOUGH

    @property
    def neural_perplexity(self) -> float:
        """Of the neural model."""
        return math.exp(self.neural.sum() / (self.sequences * self.predicted))

    @property
    def perplexity(self) -> float:
        """Of the hybrid."""
        return math.exp(min(self.hybrid.sum() / (self.sequences * self.predicted), _MOST))

    @property
    def increase(self) -> float:
        """`exp(Δ total loss / predicted tokens) - 1`; 0.05 is five percent more."""
        return _increase((self.hybrid - self.neural).mean() / self.predicted)

    @cached_property
    def interval(self) -> tuple[float, float] | None:
        """The increase's paired bootstrap 95 % interval; None while preliminary."""
        return None if self.preliminary else bootstrap((self.hybrid - self.neural) / self.predicted, self.seed)

    def as_dict(self) -> dict[str, Any]:
        """For JSON; increases in percent."""
        low, high = self.interval or (None, None)
        return {
            "perplexity": self.perplexity,
            "increase_percent": 100 * self.increase,
            "low": None if low is None else 100 * low,
            "high": None if high is None else 100 * high,
            "preliminary": self.preliminary,
            "sequences": self.sequences,
            "kl": self.divergence,
            "top1_agreement": self.agreement,
            "failed": {str(head): count for head, count in self.failed.items()},
        }


_MOST: Final = 700.0
"""Nats that `exp` can bear."""


def _increase(mean: float) -> float:
    return math.expm1(min(float(mean), _MOST))


def bootstrap(differences: Losses, seed: int = 0) -> tuple[float, float]:
    """95 % interval of `exp(mean) - 1` over resamples of sequences.

    Args:
        differences: `[sequences]`: mean loss a token of one model minus that of the other.
        seed: of the resampling.
    """
    chosen = np.random.default_rng(seed).integers(len(differences), size=(RESAMPLES, len(differences)))
    low, high = np.quantile(differences[chosen].mean(axis=1), (0.025, 0.975))
    return _increase(low), _increase(high)


@dataclass(frozen=True)
class CurvePoint:
    """A share of the heads replaced."""

    fraction: float
    heads: tuple[HeadId, ...]
    impact: Impact
    controls: Mapping[str, Impact] = field(default_factory=dict)
    """What stands on the same heads instead, by `Control`."""

    def as_dict(self) -> dict[str, Any]:
        """One row of a curve in JSON."""
        return {
            "fraction": self.fraction,
            "replaced": len(self.heads),
            **self.impact.as_dict(),
            "controls": {name: impact.as_dict() for name, impact in self.controls.items()},
        }


@dataclass(frozen=True)
class Curve:
    """What replacing more and more heads costs, in one order."""

    order: str
    points: tuple[CurvePoint, ...]

    @property
    def neural_perplexity(self) -> float:
        """Of the model with no head replaced."""
        return self.points[0].impact.neural_perplexity

    def as_dict(self) -> dict[str, Any]:
        """The `perplexity` member of a JSON document."""
        return {
            "neural": self.neural_perplexity,
            "order": self.order,
            "curve": [point.as_dict() for point in self.points],
        }
