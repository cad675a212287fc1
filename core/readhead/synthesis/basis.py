"""What programs are made of: relations, token classes and token sets, joined to terms.

A *term* is `weight · gate(query) · relation(query, key) · class(key)`; a program's score is a sum of terms, and its
prediction the softmax of the score. Everything here is a name of the program language (`readhead.language`), so that a
term means in the search what it means in the program that is written of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from readhead.language import VOCABULARY, Array, Sentence


@dataclass(frozen=True)
class Relation:
    """A relation of the program language, with its argument where it takes one."""

    name: str
    argument: int | float | str | None = None
    """A count, a distance, or the name of a feature."""

    @property
    def code(self) -> str:
        """As a program writes it."""
        if self.argument is None:
            return f"s.{self.name}"
        return f"s.{self.name}({f's.{self.argument}' if isinstance(self.argument, str) else f'{self.argument:g}'})"

    def of(self, sentence: Sentence) -> Array:
        """`[n, n]`: its values on a text."""
        value = getattr(sentence, self.name)
        if self.argument is None:
            return value  # type: ignore[no-any-return]
        return value(getattr(sentence, self.argument) if isinstance(self.argument, str) else self.argument)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class TokenClass:
    """A class of tokens that the program language has a name for."""

    feature: str

    def of(self, sentence: Sentence) -> Array:
        """`[n]`: 1 for its members, else 0."""
        return getattr(sentence, self.feature)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class TokenSet:
    """Tokens that belong together for one head; listed by their surfaces, a leading space included."""

    tokens: tuple[str, ...]


Side = TokenClass | TokenSet | None
"""What a term asks of a query or a key; None: nothing."""


@dataclass(frozen=True)
class Term:
    """One summand of a score, without its weight."""

    query: Side
    relation: Relation
    key: Side

    @property
    def sides(self) -> tuple[Side, Side]:
        """Query and key."""
        return self.query, self.key


EVERY: Final = Relation("every")

_NUMBERS: Final = frozenset(
    {"position", "word_index", "sentence_index", "piece_index", "place_in_sentence", "place_in_clause", "length"}
)
CLASSES: Final = tuple(
    TokenClass(term.name.removeprefix("s."))
    for term in VOCABULARY
    if term.kind == "feature" and "(" not in term.name and term.name.removeprefix("s.") not in _NUMBERS
)
"""Every class that the program language has."""

_COUNTED: Final[dict[str, tuple[int | float, ...]]] = {
    "previous": (0, 1, 2, 3, 4),
    "within": (1, 2, 3, 5, 8, 12, 20),
    "decay": (1.5, 3, 6, 12, 24),
    "words_back": (1, 2, 3),
}
_NEAREST: Final = (
    "is_punctuation",
    "is_stop",
    "is_comma",
    "is_quote",
    "is_name",
    "is_pronoun",
    "is_verb",
    "is_noun",
    "is_article",
    "is_conjunction",
    "is_preposition",
    "is_content",
)
_PLAIN: Final = (
    "log_distance",
    "first",
    "same_word",
    "word_start",
    "word_ends",
    "previous_word",
    "same_sentence",
    "sentence_start",
    "previous_sentence",
    "same_clause",
    "clause_start",
    "same_quote",
    "same_token",
    "last_same_token",
    "induction",
    "last_induction",
    "context_match",
    "same_word_text",
    "word_induction",
)
RELATIONS: Final = (
    EVERY,
    *(Relation(name, argument) for name, arguments in _COUNTED.items() for argument in arguments),
    *map(Relation, _PLAIN),
    *(Relation("last", feature) for feature in _NEAREST),
)
"""Relations that are tried for every term."""


def distinct_sets(terms: Sequence[Term]) -> list[TokenSet]:
    """The token sets of the terms, each once, in the order of their first use."""
    return list(dict.fromkeys(side for term in terms for side in term.sides if isinstance(side, TokenSet)))
