"""The basis on the fit texts, as tensors: what a search for any head of any model looks at. One for all heads.

Work that does not need all of the texts looks at a *view* of some.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from readhead.corpus import TokenSequence
from readhead.language import Sentence
from readhead.synthesis.basis import CLASSES, RELATIONS, Relation, Term, TokenClass, TokenSet

_LEAST_SEEN = 4
"""Times that a token must be seen in the fit texts to be taken into a set."""
_MOST_TOKENS = 400
"""Tokens that sets may be made of: the most frequent ones."""
_NEVER = -1e9
_MOST_CELLS = 1 << 21
"""Pairs of query and key that are looked at: of more and longer texts only every second query, or third, and so on."""


@dataclass(frozen=True)
class Evidence:
    """The basis on some sequences `S` of `n` tokens, at `m` of the queries of each."""

    basis: torch.Tensor
    """`[R, T, m, n]`: every relation on all sequences."""
    sequences: torch.Tensor | None
    """`[S]`: those of the `T` that this is about; None for all."""
    classes: torch.Tensor
    """`[S, n, C]`, of every token; the first class holds every token."""
    tokens: torch.Tensor
    """`[S, n]`: the token's place in the vocabulary of sets, or their number for a token that is too rare."""
    vocabulary: tuple[str, ...]
    """Surfaces that sets may be made of."""
    queries: torch.Tensor
    """`[m]`: the queries' positions."""

    @classmethod
    def of(cls, sequences: Sequence[TokenSequence]) -> Evidence:
        """The whole evidence of the sequences, which are of one length."""
        sentences = [Sentence(sequence.text.surfaces, sequence.text.special) for sequence in sequences]
        length = len(sequences[0].ids)
        vocabulary = frequent_tokens(sequences)
        places = {token: place for place, token in enumerate(vocabulary)}
        rare = len(places)
        stride = min(length, -(-len(sentences) * length * length // _MOST_CELLS))
        queries = np.arange(stride - 1, length, stride)
        relations = np.empty((len(RELATIONS), len(sentences), len(queries), length), np.float32)
        classes = np.ones((len(sentences), length, 1 + len(CLASSES)), np.float32)
        for row, sentence in enumerate(sentences):
            for place, relation in enumerate(RELATIONS):
                relations[place, row] = relation.of(sentence)[queries]
            for place, kind in enumerate(CLASSES, 1):
                classes[row, :, place] = kind.of(sentence)
        return cls(
            torch.from_numpy(relations),
            None,
            torch.from_numpy(classes),
            torch.tensor([[places.get(surface, rare) for surface in sequence.text.surfaces] for sequence in sequences]),
            vocabulary,
            torch.from_numpy(queries),
        )

    def view(self, sequences: torch.Tensor) -> Evidence:
        """Some of the sequences."""
        return replace(self, sequences=sequences, classes=self.classes[sequences], tokens=self.tokens[sequences])

    def to(self, device: str) -> Evidence:
        """The same on a device."""
        moved = {name: getattr(self, name).to(device) for name in ("basis", "classes", "tokens", "queries")}
        return replace(self, **moved)

    @cached_property
    def closed(self) -> torch.Tensor:
        """`[m, n]`: what is added to a score, so that no key after the query is seen."""
        keys = torch.arange(self.basis.shape[-1], device=self.basis.device)
        return torch.where(keys[None, :] <= self.queries[:, None], 0.0, _NEVER)

    def side(self, side: TokenClass | TokenSet) -> torch.Tensor:
        """`[S, n]`: 1 for the side's members."""
        if isinstance(side, TokenClass):
            return self.classes[:, :, 1 + CLASSES.index(side)]
        listed = torch.zeros(len(self.vocabulary) + 1, device=self.tokens.device)
        listed[self.places(side)] = 1
        return listed[self.tokens]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {token: place for place, token in enumerate(self.vocabulary)}

    def places(self, side: TokenSet) -> list[int]:
        """The places of a set's tokens in the vocabulary."""
        return [self._places[token] for token in side.tokens]

    def token_set(self, places: Sequence[int]) -> TokenSet:
        """The set of the tokens at these places of the vocabulary, in its order."""
        return TokenSet(tuple(self.vocabulary[place] for place in sorted(places)))

    @property
    def relations(self) -> torch.Tensor:
        """`[R, S, m, n]`: every relation."""
        return self.basis if self.sequences is None else self.basis[:, self.sequences]

    def relation(self, relation: Relation) -> torch.Tensor:
        """`[S, m, n]`."""
        values = self.basis[RELATIONS.index(relation)]
        return values if self.sequences is None else values[self.sequences]

    def of_term(self, term: Term) -> torch.Tensor:
        """`[S, m, n]`: the term's values."""
        values = self.relation(term.relation)
        if term.query is not None:
            values = values * self.side(term.query)[:, self.queries, None]
        if term.key is not None:
            values = values * self.side(term.key)[:, None, :]
        return values


def frequent_tokens(sequences: Sequence[TokenSequence]) -> tuple[str, ...]:
    """Surfaces that are frequent enough for a set, the most frequent first."""
    counts = Counter(surface for sequence in sequences for surface in sequence.text.surfaces if surface)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(surface for surface, count in ordered[:_MOST_TOKENS] if count >= _LEAST_SEEN)
