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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import torch

from readhead.synthesis.basis import CLASSES, EVERY, RELATIONS, Side, Term, TokenClass, TokenSet
from readhead.synthesis.evidence import Evidence
from readhead.synthesis.front import Effort

Loss = Literal["divergence", "overlap"]

_CURVATURE: Final[dict[Loss, float]] = {"divergence": 0.25, "overlap": 0.5}
"""Curvature of a loss, as a share of the Fisher information: exact for the divergence of equal distributions."""
_TINY: Final = 1e-12
_SCREENED: Final = 256
"""Tables in which sets are looked for."""
_STILL: Final = 1e-5
"""A step of the weights that gains less is the last, and a term that gains less is not added."""
_SETTLED: Final = 2e-4
"""A round of choosing sets that gains less is the last."""
_GRADED: Final = [
    place for place, relation in enumerate(RELATIONS) if relation.name in {"decay", "log_distance", "context_match"}
]
"""Relations that are not 0 or 1."""


class Stopped(Exception):  # noqa: N818 - not an error: somebody wanted it
    """A search was told to stop."""


@dataclass(frozen=True)
class Fit:
    """Terms with their weights, and how they do on the evidence that they were fitted to."""

    terms: tuple[Term, ...]
    weights: torch.Tensor
    """`[terms]`, float32."""
    loss: float


class _Bench:
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

    def loss_and_slope(self, scores: torch.Tensor, kind: Loss = "divergence") -> tuple[float, _Slope]:
        """The loss, and its gradient by the scores, computed when it is asked for."""
        predicted, logarithm = self.predict(scores)
        if kind == "overlap":
            loss = 1 - torch.minimum(predicted, self.patterns).sum() / self.rows
            return float(loss), _Slope(predicted, lambda: -(predicted < self.patterns).float(), self.rows)
        both = predicted + self.patterns
        middle = torch.log(both / 2 + _TINY)
        apart = self._entropy + torch.dot(predicted.flatten(), logarithm.flatten().clamp_min(-100))
        loss = (apart - torch.dot(both.flatten(), middle.flatten())) / (2 * self.rows)
        return float(loss), _Slope(predicted, lambda: (logarithm.clamp_min(-100) - middle) / 2, self.rows)


@dataclass(frozen=True)
class _Slope:
    """A loss' gradient by the scores."""

    predicted: torch.Tensor
    by_share: Callable[[], torch.Tensor]
    rows: int

    def __call__(self) -> torch.Tensor:
        """`[S, m, n]`."""
        by_share = self.by_share()
        return self.predicted * (by_share - (self.predicted * by_share).sum(-1, keepdim=True)) / self.rows


def _fisher(values: torch.Tensor, predicted: torch.Tensor) -> torch.Tensor:
    """`[terms, terms]`: Fisher information of the weights, mean over rows."""
    count = len(values)
    weighted = values * predicted
    means = weighted.sum(-1).reshape(count, -1)
    second = weighted.reshape(count, -1) @ values.reshape(count, -1).T
    return (second - means @ means.T) / means.shape[1]


def fit_weights(bench: _Bench, fit: Fit, kind: Loss = "divergence", steps: int = 4) -> Fit:
    """The weights that make the loss small, from those of `fit` on; never a worse fit."""
    terms, weights = fit.terms, fit.weights
    loss, slope = bench.loss_and_slope(bench.scores(terms, weights), kind)
    if not terms:
        return replace(fit, loss=loss)
    values = bench.values(terms)
    curvature = _fisher(values, slope.predicted) * _CURVATURE[kind]
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
        if before - loss < _STILL:
            break
    return Fit(terms, weights, loss)


@dataclass(frozen=True)
class _Candidate:
    gain: float
    term: Term


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
        self._whole = _Bench(evidence, patterns)
        self._order = torch.randperm(len(patterns), generator=torch.Generator().manual_seed(seed))
        self._turn = 0
        self._room = _Room()
        work = self._order[: effort.work_sequences].sort().values
        self._work = self._bench(work)
        self._trial = self._bench(work[::2])

    def _bench(self, sequences: torch.Tensor) -> _Bench:
        return _Bench(self._whole.evidence.view(sequences), self._whole.patterns[sequences])

    def _next_bench(self) -> _Bench:
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
                if gain <= max(_STILL, 0.5 * first_gain):
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
            step = (-(slopes * values).sum() / (fisher * _CURVATURE["divergence"] + 1e-7)).clamp(-8, 8)
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
        scan = _Scan(bench, bench.scores(fit.terms, fit.weights), self.effort, self._room)
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
            fisher = _fisher(values, self._work.predict(self._work.scores(fit.terms, fit.weights))[0])
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
        bend = (predicted * (1 - predicted) * rest.square()).sum(axis) * _CURVATURE["divergence"] / bench.rows
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


class _Room:
    """Memory for scans, kept from one to the next: to get it anew from the system takes longer than to fill it."""

    def __init__(self) -> None:
        self._tensors: list[torch.Tensor] = []

    def like(self, tensor: torch.Tensor) -> list[torch.Tensor]:
        """Three tensors of the same shape, whatever is in them."""
        if not self._tensors or self._tensors[0].shape != tensor.shape:
            self._tensors = [torch.empty_like(tensor) for _ in range(3)]
        return self._tensors


class _Scan:
    """The second-order gains of all candidates on one bench."""

    def __init__(self, bench: _Bench, scores: torch.Tensor, effort: Effort, room: _Room) -> None:
        self.effort = effort
        self.evidence = evidence = bench.evidence
        self._share = _CURVATURE["divergence"] / bench.rows
        _, slope = bench.loss_and_slope(scores)
        relations = evidence.relations
        self._keys = evidence.classes
        self._gates = evidence.classes[:, evidence.queries].transpose(1, 2).contiguous()  # [S, C, m]
        self._slopes, weighted, self._bends = room.like(relations)  # [R, S, m, n]
        torch.mul(relations, -slope(), out=self._slopes)
        torch.mul(relations, slope.predicted, out=weighted)
        self._slope_keys = self._slopes @ self._keys  # [R, S, m, C]
        mean_keys = weighted @ self._keys
        square_keys = mean_keys.clone()
        square_keys[_GRADED] = (weighted[_GRADED] * relations[_GRADED]) @ self._keys
        self._bend_keys = square_keys - mean_keys.square()
        torch.sub(relations, weighted, out=self._bends).mul_(weighted)

    def candidates(self) -> list[_Candidate]:
        """The best of every kind."""
        found = self._of_classes()
        if self.effort.set_size and self.evidence.vocabulary:
            found += self._of_sets()
        return found

    def _of_classes(self) -> list[_Candidate]:
        gain = (self._gates @ self._slope_keys).sum(1)  # [R, C, C]
        bend = (self._gates @ self._bend_keys).sum(1) * self._share
        gains = gain.square() / (2 * bend.clamp_min(0) + 4e-7)
        return [
            _Candidate(value, Term(_class(query), RELATIONS[relation], _class(key)))
            for value, (relation, query, key) in _largest(gains, 8 * self.effort.tried)
        ]

    def _of_sets(self) -> list[_Candidate]:
        """Sets for keys under every gate, for queries before every class, and for both."""
        evidence, size = self.evidence, len(self.evidence.vocabulary)
        keys = evidence.tokens.reshape(-1)
        queries = evidence.tokens[:, evidence.queries].reshape(-1)

        def over_keys(values: torch.Tensor) -> torch.Tensor:  # [R, S, m, n] -> [R, C, V]
            gated = (self._gates @ values).transpose(1, 2).flatten(2)
            return gated.new_zeros(*gated.shape[:2], size + 1).index_add_(2, keys, gated)[..., :size]

        def over_queries(values: torch.Tensor) -> torch.Tensor:  # [R, S, m, C] -> [R, C, V]
            spread = values.new_zeros(len(values), size + 1, values.shape[-1])
            return spread.index_add_(1, queries, values.flatten(1, 2))[:, :size].transpose(1, 2)

        key_slope, key_bend = over_keys(self._slopes), over_keys(self._bends) * self._share
        query_slope, query_bend = over_queries(self._slope_keys), over_queries(self._bend_keys) * self._share
        most, count = self.effort.set_size, 3 * self.effort.tried
        found = []
        for gain, (relation, gate), tokens in _best_sets(key_slope, key_bend, most, count):
            found.append(_Candidate(gain, Term(_class(gate), RELATIONS[relation], evidence.token_set(tokens))))
        for gain, (relation, kind), tokens in _best_sets(query_slope, query_bend, most, count):
            found.append(_Candidate(gain, Term(evidence.token_set(tokens), RELATIONS[relation], _class(kind))))
        promising = sorted(found, key=lambda candidate: -candidate.gain)
        for relation in list(dict.fromkeys(RELATIONS.index(candidate.term.relation) for candidate in promising))[
            : self.effort.paired
        ]:
            starts = (
                (key_slope[relation, 0], key_bend[relation, 0]),
                (query_slope[relation, 0], query_bend[relation, 0]),
            )
            found += self._of_pairs(relation, *(_best_set(*start, most) for start in starts))
        return found

    def _of_pairs(self, relation: int, keys: list[int], queries: list[int]) -> Iterator[_Candidate]:
        """Two sets that fit each other, from the best set of either side on."""
        evidence, size = self.evidence, len(self.evidence.vocabulary)
        pairs = evidence.tokens[:, evidence.queries, None] * (size + 1) + evidence.tokens[:, None, :]
        most = self.effort.set_size

        def table(values: torch.Tensor) -> torch.Tensor:
            spread = values.new_zeros((size + 1) ** 2).index_add_(0, pairs.reshape(-1), values.reshape(-1))
            return spread.view(size + 1, size + 1)[:size, :size]

        slope, bend = table(self._slopes[relation]), table(self._bends[relation]) * self._share
        for start in ("keys", "queries"):
            key_side = keys if start == "keys" else _best_set(slope[queries].sum(0), bend[queries].sum(0), most)
            query_side: list[int] = []
            for _ in range(2):
                query_side = _best_set(slope[:, key_side].sum(1), bend[:, key_side].sum(1), most)
                key_side = _best_set(slope[query_side].sum(0), bend[query_side].sum(0), most)
            if key_side and query_side:
                total = slope[query_side][:, key_side].sum(), bend[query_side][:, key_side].sum()
                gain = float(total[0].square() / (2 * total[1] + 4e-7))
                sides = evidence.token_set(query_side), evidence.token_set(key_side)
                yield _Candidate(gain, Term(sides[0], RELATIONS[relation], sides[1]))


def _class(place: int) -> Side:
    return CLASSES[place - 1] if place else None


def _largest(values: torch.Tensor, count: int) -> Iterator[tuple[float, tuple[int, ...]]]:
    """The largest values with their places."""
    top = values.flatten().topk(min(count, values.numel()))
    places = torch.stack(torch.unravel_index(top.indices, values.shape), 1)
    return zip(top.values.tolist(), map(tuple, places.tolist()), strict=True)


def _best_sets(
    slope: torch.Tensor, bend: torch.Tensor, most: int, count: int
) -> list[tuple[float, tuple[int, ...], list[int]]]:
    """The best token sets of many tables `[R, C, V]`: gain, place of the table, and tokens; about `count` of them.

    Only tables that could have a good one are looked at: `(Σ g)² / Σ h` is at most `Σ g² / h`.
    """
    bend = bend.clamp_min(0) + 2e-7
    bound = torch.maximum((slope.clamp_min(0).square() / bend).sum(-1), (slope.clamp_max(0).square() / bend).sum(-1))
    places = [place for _, place in _largest(bound, _SCREENED)]
    rows = tuple(zip(*places, strict=True))
    gains, tokens, chosen = _sets(slope[rows], bend[rows], most)
    order = gains.argsort(descending=True, stable=True)[:count].tolist()
    return [(float(gains[row]), places[row], tokens[row][chosen[row]].tolist()) for row in order]


def _best_set(slope: torch.Tensor, bend: torch.Tensor, most: int) -> list[int]:
    """The best set of one table `[V]`; empty where no token would gain anything."""
    _, tokens, chosen = _sets(slope[None], bend[None].clamp_min(0) + 2e-7, most)
    return tokens[0][chosen[0]].tolist()


def _sets(slope: torch.Tensor, bend: torch.Tensor, most: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Tokens with one weight for all, for each row of `[N, V]`: gains `[N]`, tokens and which to take `[N, most]`.

    A token with slope g and bend h adds `w g - w² h / 2` to the gain at the weight w; the weight and the tokens are
    chosen in turn.
    """
    both = torch.cat([slope, -slope])
    bends = torch.cat([bend, bend])
    worth = both / bends.sqrt()
    for _ in range(3):
        top = worth.topk(min(most, slope.shape[-1]), -1)
        chosen = top.values > 0
        gain = torch.where(chosen, both.gather(-1, top.indices), 0).sum(-1)
        cost = torch.where(chosen, bends.gather(-1, top.indices), 0).sum(-1)
        weight = (gain / (cost + 1e-9)).clamp(max=6.0)[:, None]
        worth = weight * both - weight * weight * bends / 2
    gains = gain.square() / (2 * cost + 2e-7)
    up, down = gains.chunk(2)
    better = torch.arange(len(slope), device=slope.device) + torch.where(up >= down, 0, len(slope))
    return torch.maximum(up, down), top.indices[better], chosen[better]
