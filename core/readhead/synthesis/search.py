"""The search for the terms of one head, without a language model.

A program of terms predicts `softmax(Σ weight · term)`. To find terms:

1. *Scan*: every gate × relation × class is scored by the second-order gain `G² / 2H` of the loss, from its gradient and
   Fisher curvature; for every pair of them the best token set stands in for the gate or the class.
2. *Grow*: the most promising are tried on the true loss, the best is added, and all weights are fitted again (damped
   natural gradient); beyond the wanted size.
3. *Prune*: the term that is missed least goes (optimal brain surgeon, Hassibi and Stork 1992), until the wanted size.
4. *Refine*: tokens that would pay in a set come in, and those that do not go out.
5. *Polish*: the weights are fitted to the IoU itself.

The loss of steps 1 to 4 is the Jensen-Shannon divergence, mean over rows, in nats.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Literal

import torch

from readhead.synthesis.basis import EVERY, Side, Term, TokenClass, TokenSet
from readhead.synthesis.evidence import Evidence
from readhead.synthesis.fitting import CURVATURE, STILL, Bench, Fit, fisher_information, fit_weights
from readhead.synthesis.front import Effort
from readhead.synthesis.scan import Room, Scan

_SETTLED: Final = 2e-4
"""A round of choosing sets that gains less is the last."""


class Stopped(Exception):  # noqa: N818 - not an error: somebody wanted it
    """A search was told to stop."""


class HeadSearch:
    """The search for one head.

    Args:
        evidence: of all fit sequences, at all queries.
        patterns: `[S, m, n]`: the head's.
        effort: how hard to search.
        seed: of the order in which sequences are looked at.
        stop: asked now and then; once it says so, `programs` raises `Stopped`.
    """

    def __init__(
        self,
        evidence: Evidence,
        patterns: torch.Tensor,
        effort: Effort,
        *,
        seed: int = 0,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.effort = effort
        self._stop = stop
        self._whole = Bench(evidence, patterns)
        self._order = torch.randperm(len(patterns), generator=torch.Generator().manual_seed(seed))
        self._turn = 0
        self._room = Room()
        work = self._order[: effort.work_sequences].sort().values
        self._work = self._bench(work)
        self._trial = self._bench(work[::2])

    def _bench(self, sequences: torch.Tensor) -> Bench:
        return Bench(self._whole.evidence.view(sequences), self._whole.patterns[sequences])

    def _next_bench(self) -> Bench:
        count = min(self.effort.scan_sequences, len(self._order))
        places = torch.arange(self._turn * count, (self._turn + 1) * count) % len(self._order)
        self._turn += 1
        return self._bench(self._order[places].sort().values)

    def programs(self, sizes: Sequence[int]) -> list[Fit]:
        """The best fit found for each size, the smallest first, polished on all sequences.

        A fit is smaller than its size where no further term helps.
        """
        best: dict[int, Fit] = {}

        def note(fit: Fit) -> Fit:
            size = len(fit.terms)
            if size not in best or fit.loss < best[size].loss:
                best[size] = fit
            return best[size]

        cap = max(sizes)
        fit = note(fit_weights(self._work, Fit((), self._whole.patterns.new_zeros(0), math.inf)))
        for size in (*sorted(sizes), cap + max(2, round(self.effort.extra * cap))):
            fit = note(self._refined(self._grown(fit, size)))
        for size in range(len(fit.terms) - 1, min(sizes) - 1, -1):
            fit = self._pruned(fit, size)
            if size in sizes:
                fit = note(self._refined(fit))
        nearest = [best[max(known for known in best if known <= size)] for size in sorted(sizes)]
        return [fit_weights(self._whole, fit, "overlap", 10) for fit in nearest]

    def iou(self, fit: Fit) -> float:
        """Of the fit on all sequences, from the mean of what its rows share with the patterns."""
        shared = 1 - self._whole.loss(self._whole.scores(fit.terms, fit.weights), "overlap")
        return shared / (2 - shared)

    def importance(self, fit: Fit) -> list[float]:
        """For each term, by how much the divergence grows without it; at least 0."""
        scores = self._whole.scores(fit.terms, fit.weights)
        loss = self._whole.loss(scores)
        values = self._whole.values(fit.terms)
        return [
            max(0.0, self._whole.loss(scores - weight * value) - loss)
            for weight, value in zip(fit.weights, values, strict=True)
        ]

    # Growing

    def _grown(self, fit: Fit, size: int) -> Fit:
        while len(fit.terms) < size:
            candidates = self._promising(fit)
            grown = fit
            first_gain = 0.0
            while len(grown.terms) < min(size, len(fit.terms) + self.effort.per_scan) and candidates:
                more = self._with_best(grown, candidates)
                gain = (grown.loss - more.loss) * self._worth(more.terms[-1])
                if gain <= max(STILL, 0.5 * first_gain):
                    break
                first_gain = first_gain or gain
                candidates = [term for term in candidates if term != more.terms[-1]]
                grown = more
            if grown is fit:
                return fit
            fit = grown
        return fit

    def _with_best(self, fit: Fit, candidates: Sequence[Term]) -> Fit:
        """The fit with that candidate which lowers the loss most, its size reckoned, all weights fitted again."""
        bench = self._trial
        scores = bench.scores(fit.terms, fit.weights)
        loss, slope = bench.loss_and_slope(scores)
        predicted, slopes = slope.predicted, slope()
        tried: list[tuple[float, Term, torch.Tensor]] = []
        for term in candidates:
            values = bench.evidence.of_term(term)
            weighted = predicted * values
            fisher = ((weighted * values).sum() - weighted.sum(-1).square().sum()) / bench.rows
            step = (-(slopes * values).sum() / (fisher * CURVATURE["divergence"] + 1e-7)).clamp(-8, 8)
            gain, share = max((loss - bench.loss(scores + share * step * values), share) for share in (0.5, 1.0, 2.0))
            tried.append((gain * self._worth(term), term, share * step))
        tried.sort(key=lambda item: -item[0])
        fitted = [
            fit_weights(self._work, Fit((*fit.terms, term), torch.cat([fit.weights, weight[None]]), math.inf))
            for _, term, weight in tried[: self.effort.fitted]
        ]
        return max(fitted, key=lambda more: (fit.loss - more.loss) * self._worth(more.terms[-1]))

    def _worth(self, term: Term) -> float:
        effort = self.effort
        classes = sum(isinstance(side, TokenClass) for side in term.sides)
        sets = sum(isinstance(side, TokenSet) for side in term.sides)
        relation = effort.relation_price * (term.relation != EVERY)
        return 1 - relation - effort.part_price * classes - effort.set_price * sets

    # Scanning

    def _promising(self, fit: Fit) -> list[Term]:
        """Candidates of different kinds for one more term, the most promising first."""
        if self._stop():
            raise Stopped
        bench = self._next_bench()
        scan = Scan(bench, bench.scores(fit.terms, fit.weights), self.effort, self._room)
        found = sorted(scan.candidates(), key=lambda candidate: -candidate.gain * self._worth(candidate.term))
        kinds = set()
        chosen: list[Term] = []
        for candidate in found:
            kind = tuple(side if not isinstance(side, TokenSet) else "set" for side in candidate.term.sides)
            if (candidate.term.relation, kind) not in kinds and candidate.term not in fit.terms:
                kinds.add((candidate.term.relation, kind))
                chosen.append(candidate.term)
            if len(chosen) == self.effort.tried:
                break
        return chosen

    # Pruning

    def _pruned(self, fit: Fit, size: int) -> Fit:
        while len(fit.terms) > size:
            values = self._work.values(fit.terms)
            fisher = fisher_information(values, self._work.predict(self._work.scores(fit.terms, fit.weights))[0])
            inverse = torch.linalg.inv(fisher + torch.diag(fisher.diagonal() * 1e-4 + 1e-7))
            least = int((fit.weights.square() / inverse.diagonal()).argmin())
            weights = fit.weights - inverse[:, least] * fit.weights[least] / inverse[least, least]
            kept = [place for place in range(len(fit.terms)) if place != least]
            fit = fit_weights(self._work, Fit(tuple(fit.terms[place] for place in kept), weights[kept], 0.0), steps=3)
        return fit

    # Refining

    def _refined(self, fit: Fit) -> Fit:
        """The sets' members chosen anew, one set after the other, while that lowers the loss."""
        if not self.effort.set_size:
            return fit
        for _ in range(self.effort.refinements):
            before = fit.loss
            for place in range(len(fit.terms)):
                for which in _SIDES:
                    fit = self._with_better_set(fit, place, which)
            fit = fit_weights(self._work, fit, steps=3)
            if before - fit.loss < _SETTLED:
                break
        return fit

    def _with_better_set(self, fit: Fit, place: int, which: Literal["query", "key"]) -> Fit:
        term, bench = fit.terms[place], self._work
        side = term.query if which == "query" else term.key
        if not isinstance(side, TokenSet):
            return fit
        evidence = bench.evidence
        scores = bench.scores(fit.terms, fit.weights)
        loss_before, slopes = bench.loss_and_slope(scores)
        predicted = slopes.predicted
        rest = evidence.of_term(_with_side(term, which, None))
        axis = -1 if which == "query" else 1
        slope = -(slopes() * rest).sum(axis)
        bend = (predicted * (1 - predicted) * rest.square()).sum(axis) * CURVATURE["divergence"] / bench.rows
        tokens = evidence.tokens[:, evidence.queries] if which == "query" else evidence.tokens
        size = len(evidence.vocabulary)
        slope_of = slope.new_zeros(size + 1).index_add_(0, tokens.reshape(-1), slope.reshape(-1))[:size]
        bend_of = bend.new_zeros(size + 1).index_add_(0, tokens.reshape(-1), bend.reshape(-1))[:size]
        weight = fit.weights[place]
        member = slope.new_zeros(size)
        member[evidence.places(side)] = 1
        change = weight * slope_of - (1 - 2 * member) * weight * weight * bend_of / 2
        order = change.argsort(descending=True)[: self.effort.set_size]
        chosen = [int(token) for token in order if change[token] > 0]
        if not chosen:
            return fit
        better = _with_side(term, which, evidence.token_set(chosen))
        if better == term or better in fit.terms:
            return fit
        moved = scores + weight * (evidence.of_term(better) - evidence.of_term(term))
        loss = bench.loss(moved)
        if loss >= loss_before:
            return fit
        return Fit((*fit.terms[:place], better, *fit.terms[place + 1 :]), fit.weights, loss)


_SIDES: Final[tuple[Literal["query", "key"], ...]] = ("query", "key")


def _with_side(term: Term, which: Literal["query", "key"], side: Side) -> Term:
    return replace(term, query=side) if which == "query" else replace(term, key=side)
