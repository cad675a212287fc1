"""What one more term could gain, for all terms at once.

Every gate × relation × class is scored by the second-order gain `G² / 2H` of the loss, from its gradient and Fisher
curvature; for every pair of them the best token set stands in for the gate or the class; for some relations, for both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import torch

from readhead.synthesis.basis import CLASSES, RELATIONS, Side, Term
from readhead.synthesis.fitting import CURVATURE, Bench
from readhead.synthesis.front import Effort

_SCREENED: Final = 256
"""Tables in which sets are looked for."""
_GRADED: Final = [
    place for place, relation in enumerate(RELATIONS) if relation.name in {"decay", "log_distance", "context_match"}
]
"""Relations that are not 0 or 1."""


@dataclass(frozen=True)
class Candidate:
    """A term, and the gain that a scan expects of it."""

    gain: float
    term: Term


class Room:
    """Memory for scans, kept from one to the next: to get it anew from the system takes longer than to fill it."""

    def __init__(self) -> None:
        self._tensors: list[torch.Tensor] = []

    def like(self, tensor: torch.Tensor) -> list[torch.Tensor]:
        """Three tensors of the same shape, whatever is in them."""
        if not self._tensors or self._tensors[0].shape != tensor.shape:
            self._tensors = [torch.empty_like(tensor) for _ in range(3)]
        return self._tensors


class Scan:
    """The second-order gains of all candidates on one bench."""

    def __init__(self, bench: Bench, scores: torch.Tensor, effort: Effort, room: Room) -> None:
        self.effort = effort
        self.evidence = evidence = bench.evidence
        self._share = CURVATURE["divergence"] / bench.rows
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

    def candidates(self) -> list[Candidate]:
        """The best of every kind."""
        found = self._of_classes()
        if self.effort.set_size and self.evidence.vocabulary:
            found += self._of_sets()
        return found

    def _of_classes(self) -> list[Candidate]:
        gain = (self._gates @ self._slope_keys).sum(1)  # [R, C, C]
        bend = (self._gates @ self._bend_keys).sum(1) * self._share
        gains = gain.square() / (2 * bend.clamp_min(0) + 4e-7)
        return [
            Candidate(value, Term(_class(query), RELATIONS[relation], _class(key)))
            for value, (relation, query, key) in _largest(gains, 8 * self.effort.tried)
        ]

    def _of_sets(self) -> list[Candidate]:
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
            found.append(Candidate(gain, Term(_class(gate), RELATIONS[relation], evidence.token_set(tokens))))
        for gain, (relation, kind), tokens in _best_sets(query_slope, query_bend, most, count):
            found.append(Candidate(gain, Term(evidence.token_set(tokens), RELATIONS[relation], _class(kind))))
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

    def _of_pairs(self, relation: int, keys: list[int], queries: list[int]) -> Iterator[Candidate]:
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
                yield Candidate(gain, Term(sides[0], RELATIONS[relation], sides[1]))


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
