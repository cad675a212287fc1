"""What a program sees and may call: the `Sentence`, `softmax` and `normalize`.

A program is `head(s)` over one sequence `s` of n tokens; it returns non-negative weights, `[n, n]` or anything that
broadcasts to it: row i looks, column j is looked at. Everything here comes from the text alone and is strictly
causal: a feature at position j uses tokens 0..j, row i of a relation uses tokens 0..i and is zero for keys after i.

* a *feature* is one number a token. `s.key.is_comma` is `[1, n]` (about the token looked at), `s.query.is_comma` is
  `[n, 1]` (about the token that looks), bare `s.is_comma` is `[n]`, for loops. `s.word.is_article` is `[n, n]`: the
  class of the key's *whole word*, as far as the query has read it, where the plain feature knows the word so far.
* a *relation* is one number for each (query, key) pair, `[n, n]`.

All arrays are float32 and read-only. `VOCABULARY` lists every name with its shape and meaning; it is made from this
module's definitions, and completion, hover, the docs page and prompts are made from it. numpy only: no model, no
tokenizer, no corpus.
"""

# mypy: disable-error-code="no-any-return"
# (numpy types an operator between two of its arrays as Any where their kinds differ)

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from readhead import words
from readhead.reading import Reading, read

__all__ = ["VOCABULARY", "Array", "Sentence", "Term", "TokenFeatures", "normalize", "softmax"]

Array = npt.NDArray[np.float32]


class feature:  # noqa: N801 - used as a decorator, like property
    """A `[n]` token feature, computed once a sentence and shared by `s.x`, `s.key.x`, `s.query.x` and `s.word.x`."""

    def __init__(self, compute: Callable[[Any], npt.ArrayLike]) -> None:
        self.compute = compute
        self.__name__ = compute.__name__
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, side: None, owner: type) -> feature: ...
    @overload
    def __get__(self, side: TokenFeatures, owner: type) -> Array: ...
    def __get__(self, side: TokenFeatures | None, owner: type) -> feature | Array:
        return self if side is None else side._feature(self)  # noqa: SLF001 - the two halves of one mechanism


class relation:  # noqa: N801 - used as a decorator, like property
    """An `[n, n]` relation, masked to keys that the query may see and computed once a sentence."""

    def __init__(self, compute: Callable[[Any], npt.ArrayLike]) -> None:
        self.compute = compute
        self.__name__ = compute.__name__
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, sentence: None, owner: type) -> relation: ...
    @overload
    def __get__(self, sentence: Sentence, owner: type) -> Array: ...
    def __get__(self, sentence: Sentence | None, owner: type) -> relation | Array:
        if sentence is None:
            return self
        return sentence._relation(self.__name__, lambda: self.compute(sentence))  # noqa: SLF001 - as above


class TokenFeatures:
    """The features of a sequence's tokens, in the shape of one side: `[n]`, `[1, n]`, `[n, 1]` or `[n, n]`."""

    def __init__(self, reading: Reading, side_of: tuple[TokenFeatures, Callable[[Array], Array]] | None = None) -> None:
        self._reading = reading
        self._side_of = side_of
        self._features: dict[str, Array] = {}

    def _feature(self, item: feature) -> Array:
        name = item.__name__
        if name not in self._features:
            if self._side_of is None:
                values = item.compute(self)
            else:  # features are made of one another as they are, [n], and only then turned to a side
                bare, turned = self._side_of
                values = turned(bare._feature(item))  # noqa: SLF001 - of its own kind
            self._features[name] = _frozen(values)
        return self._features[name]

    def _in(self, *lists: Collection[str]) -> list[bool]:
        spoken = [word.rstrip("'") for word in self._reading.word]  # a quotation may end at the word
        return [any(word in members for members in lists) for word in spoken]

    def _marks(self, characters: str) -> list[bool]:
        reading = self._reading
        return [
            mark and any(character in characters for character in held)
            for mark, held in zip(reading.punctuation, reading.characters, strict=True)
        ]

    def is_one_of(self, tokens: Collection[str]) -> Array:
        """The token is one of those listed, each with the space before it: `s.key.is_one_of({" the", "ing", "."})`."""
        if isinstance(tokens, str):
            message = f"expected a set of tokens, such as {{{tokens!r}}}"
            raise TypeError(message)
        listed = frozenset(tokens)
        values = _frozen([surface in listed for surface in self._reading.surfaces])
        return values if self._side_of is None else _frozen(self._side_of[1](values))

    # Place

    @feature
    def position(self) -> npt.ArrayLike:
        """0 for the first token, 1 for the second, and so on."""
        return np.arange(len(self._reading.tokens))

    @feature
    def word_index(self) -> npt.ArrayLike:
        """Number of the token's word in the sequence; each punctuation mark counts as a word."""
        return self._reading.word_index

    @feature
    def sentence_index(self) -> npt.ArrayLike:
        """Number of the token's sentence in the sequence."""
        return self._reading.sentence_index

    @feature
    def piece_index(self) -> npt.ArrayLike:
        """Place of the token in its word: 0 for the first piece."""
        return _since_change(self._reading.word_index)

    @feature
    def place_in_sentence(self) -> npt.ArrayLike:
        """Tokens since the sentence began: 0 for its first token."""
        return _since_change(self._reading.sentence_index)

    @feature
    def place_in_clause(self) -> npt.ArrayLike:
        """Tokens since the clause began: 0 for its first token; clauses end at , ; : — and at sentence ends."""
        return _since_change(self._reading.clause_index)

    # Form

    @feature
    def is_special(self) -> npt.ArrayLike:
        """A special token, such as the begin-of-sequence mark."""
        return self._reading.special

    @feature
    def is_text(self) -> npt.ArrayLike:
        """Holds a letter or a digit: neither punctuation, blank nor special."""
        reading = self._reading
        blank = [token.strip() == "" for token in reading.tokens]
        return ~(np.array(reading.special, bool) | np.array(reading.punctuation, bool) | np.array(blank, bool))

    @feature
    def is_word_start(self) -> npt.ArrayLike:
        """The first piece of a word or number; a space that stands alone before it is none."""
        text = self.is_text
        before = np.cumsum(text) - text
        return text * (before == before[np.searchsorted(self._reading.word_index, self._reading.word_index)])

    @feature
    def is_continuation(self) -> npt.ArrayLike:
        """A later piece of a word or number."""
        return self.is_text - self.is_word_start

    @feature
    def is_capital(self) -> npt.ArrayLike:
        """The word begins with a capital letter."""
        return self._reading.capital

    @feature
    def is_digit(self) -> npt.ArrayLike:
        """Holds a digit."""
        return [any(character.isdigit() for character in held) for held in self._reading.characters]

    @feature
    def is_short(self) -> npt.ArrayLike:
        """The word so far has one to three letters."""
        return self.is_text * (_letters(self._reading.word) <= 3)  # noqa: PLR2004 - the meaning itself

    @feature
    def is_long(self) -> npt.ArrayLike:
        """The word so far has six letters or more."""
        return self.is_text * (_letters(self._reading.word) >= 6)  # noqa: PLR2004 - the meaning itself

    @feature
    def length(self) -> npt.ArrayLike:
        """Letters and digits in the word so far."""
        return _letters(self._reading.word)

    # Punctuation

    @feature
    def is_punctuation(self) -> npt.ArrayLike:
        """Any punctuation mark."""
        return self._reading.punctuation

    @feature
    def is_comma(self) -> npt.ArrayLike:
        """A comma."""
        return self._marks(",")

    @feature
    def is_period(self) -> npt.ArrayLike:
        """A full stop."""
        return self._marks(".")

    @feature
    def is_stop(self) -> npt.ArrayLike:
        """A mark that ends a sentence, such as a full stop, a question mark or an exclamation mark."""
        return self._marks(".?!…。！？")

    @feature
    def is_question(self) -> npt.ArrayLike:
        """A question mark."""
        return self._marks("?？")

    @feature
    def is_exclamation(self) -> npt.ArrayLike:
        """An exclamation mark."""
        return self._marks("!！")

    @feature
    def is_colon(self) -> npt.ArrayLike:
        """A colon or a semicolon."""
        return self._marks(":;")

    @feature
    def is_dash(self) -> npt.ArrayLike:
        """A hyphen or a dash."""
        return self._marks("-–—")

    @feature
    def is_bracket(self) -> npt.ArrayLike:
        """A bracket of any kind."""
        return self._marks("()[]{}")

    @feature
    def is_apostrophe(self) -> npt.ArrayLike:
        """An apostrophe or a single quotation mark that stands alone."""
        return self._marks("'’‘")

    @feature
    def is_quote(self) -> npt.ArrayLike:
        """A double quotation mark."""
        return self._marks('"“”«»')

    @feature
    def is_opening_quote(self) -> npt.ArrayLike:
        """A quotation mark that begins a quotation."""
        return self._reading.opens_quote

    @feature
    def is_closing_quote(self) -> npt.ArrayLike:
        """A quotation mark that ends a quotation."""
        return self._reading.closes_quote

    @feature
    def is_newline(self) -> npt.ArrayLike:
        """Holds a line break."""
        return ["\n" in held for held in self._reading.characters]

    @feature
    def in_quotes(self) -> npt.ArrayLike:
        """Inside a quotation, its marks included."""
        return np.array(self._reading.quote_index) > 0

    # Beginnings

    @feature
    def starts_sentence(self) -> npt.ArrayLike:
        """The first token of a sentence."""
        return _since_change(self._reading.sentence_index) == 0

    @feature
    def starts_clause(self) -> npt.ArrayLike:
        """The first token of a clause."""
        return _since_change(self._reading.clause_index) == 0

    # Word classes, of the word so far

    @feature
    def is_article(self) -> npt.ArrayLike:
        """a, an, the."""
        return self._in(words.ARTICLES)

    @feature
    def is_determiner(self) -> npt.ArrayLike:
        """Articles, and words like this, those, every, some."""
        return self._in(words.ARTICLES, words.DETERMINERS)

    @feature
    def is_pronoun(self) -> npt.ArrayLike:
        """Any pronoun, such as she, him, their, itself, everyone."""
        return self._in(
            words.SUBJECT_PRONOUNS,
            words.OBJECT_PRONOUNS,
            words.POSSESSIVES,
            words.REFLEXIVES,
            words.OTHER_PRONOUNS,
        )

    @feature
    def is_subject_pronoun(self) -> npt.ArrayLike:
        """i, you, he, she, it, we, they."""
        return self._in(words.SUBJECT_PRONOUNS)

    @feature
    def is_object_pronoun(self) -> npt.ArrayLike:
        """me, you, him, her, it, us, them."""
        return self._in(words.OBJECT_PRONOUNS)

    @feature
    def is_possessive(self) -> npt.ArrayLike:
        """my, your, his, her, its, our, their, mine, whose."""
        return self._in(words.POSSESSIVES)

    @feature
    def is_preposition(self) -> npt.ArrayLike:
        """A preposition, such as of, in, to, with, under."""
        return self._in(words.PREPOSITIONS)

    @feature
    def is_conjunction(self) -> npt.ArrayLike:
        """A conjunction, such as and, or, but, because, when."""
        return self._in(words.CONJUNCTIONS)

    @feature
    def is_auxiliary(self) -> npt.ArrayLike:
        """Forms of be, have and do, and modal verbs."""
        return self._in(words.AUXILIARIES)

    @feature
    def is_verb(self) -> npt.ArrayLike:
        """A common verb in any form, auxiliaries left out."""
        return self._in(words.VERBS, words.SPEECH_VERBS)

    @feature
    def is_speech_verb(self) -> npt.ArrayLike:
        """A verb that reports speech, such as said, asked, replied."""
        return self._in(words.SPEECH_VERBS)

    @feature
    def is_noun(self) -> npt.ArrayLike:
        """A common noun, names left out."""
        return self._in(words.NOUNS)

    @feature
    def is_adjective(self) -> npt.ArrayLike:
        """A common adjective."""
        return self._in(words.ADJECTIVES)

    @feature
    def is_adverb(self) -> npt.ArrayLike:
        """A common adverb."""
        return self._in(words.ADVERBS)

    @feature
    def is_content(self) -> npt.ArrayLike:
        """A word that carries meaning: a noun, verb, adjective, adverb or name."""
        named = self._in(words.VERBS, words.SPEECH_VERBS, words.NOUNS, words.ADJECTIVES, words.ADVERBS)
        return np.array(named) | (self.is_name > 0)

    @feature
    def is_function(self) -> npt.ArrayLike:
        """A word that holds a sentence together: a determiner, pronoun, preposition, conjunction or auxiliary."""
        kinds = (self.is_determiner, self.is_pronoun, self.is_preposition, self.is_conjunction, self.is_auxiliary)
        return np.any(kinds, axis=0)

    @feature
    def is_negation(self) -> npt.ArrayLike:
        """A negation, such as not, no, never, didn't."""
        return self._in(words.NEGATIONS)

    @feature
    def is_question_word(self) -> npt.ArrayLike:
        """A question word, such as who, what, where, why, how."""
        return self._in(words.QUESTION_WORDS)

    @feature
    def is_number_word(self) -> npt.ArrayLike:
        """A number word, such as one, two, first, hundred; and digits."""
        return np.array(self._in(words.NUMBER_WORDS)) | (self.is_digit > 0)

    @feature
    def is_name(self) -> npt.ArrayLike:
        """A capitalised word that is a known first name, or no common word (nor, so far, the beginning of one)."""
        reading = self._reading
        owners = [word.removesuffix("'s").rstrip("'") for word in reading.word]
        return [
            capital and (owner in words.NAMES or not _could_be_common(owner))
            for capital, owner in zip(reading.capital, owners, strict=True)
        ]

    # Frequency bands

    @feature
    def is_most_common(self) -> npt.ArrayLike:
        """One of the hundred or so most frequent words of English."""
        return self._in(words.MOST_COMMON)

    @feature
    def is_common(self) -> npt.ArrayLike:
        """One of the next few hundred words by frequency."""
        return self._in(words.COMMON)

    @feature
    def is_rare(self) -> npt.ArrayLike:
        """Text outside every frequency band of the word list."""
        return self.is_text * ~np.array(self._in(words.MOST_COMMON, words.COMMON, words.FAMILIAR))

    @feature
    def is_repeated(self) -> npt.ArrayLike:
        """The same token stood earlier in the sequence."""
        surfaces = self._reading.surfaces
        return [surface in surfaces[:position] for position, surface in enumerate(surfaces)]


class Sentence(TokenFeatures):
    """One sequence as a program sees it; bare features are `[n]`.

    Args:
        surfaces: the tokens' texts as `readhead.tokens` gives them, with a leading space where a space came before.
        special: positions of special tokens.
    """

    def __init__(self, surfaces: Sequence[str], special: Collection[int] = ()) -> None:
        reading = read(surfaces, special)
        super().__init__(reading)
        self._relations: dict[str, Array] = {}
        self._key = TokenFeatures(reading, (self, lambda vector: vector[None, :]))
        self._query = TokenFeatures(reading, (self, lambda vector: vector[:, None]))
        self._word = TokenFeatures(reading, (self, self._as_known))

    def _as_known(self, vector: Array) -> Array:
        """`[i, j]`: the value at the last piece of j's word that query i has read."""
        ends = np.searchsorted(self._reading.word_index, self._reading.word_index, side="right") - 1
        row = np.arange(self.n)[:, None]
        return vector[np.minimum(row, ends[None, :])] * _causal(self.n)

    def _relation(self, name: str, compute: Callable[[], npt.ArrayLike]) -> Array:
        if name not in self._relations:
            self._relations[name] = _frozen(np.asarray(compute(), np.float32) * _causal(self.n))
        return self._relations[name]

    # Sides

    @property
    def key(self) -> TokenFeatures:
        """The features of the token looked at: `s.key.is_comma` is a row, the same for every query."""
        return self._key

    @property
    def query(self) -> TokenFeatures:
        """The features of the token that looks: `s.query.is_comma` is a column, the same for every key."""
        return self._query

    @property
    def word(self) -> TokenFeatures:
        """The features of the key's whole word, as far as the query has read it: `s.word.is_article`."""
        return self._word

    # Values

    @property
    def n(self) -> int:
        """Number of tokens. It grows as text is generated: a weight that depends on it looks ahead."""
        return len(self._reading.surfaces)

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens' texts, without tokenizer marks and without the space before them."""
        return self._reading.tokens

    @property
    def words(self) -> tuple[str, ...]:
        """For each token the word so far, lower case; "" at blanks and special tokens."""
        return self._reading.word

    # Distance

    @relation
    def distance(self) -> npt.ArrayLike:
        """Tokens from key to query: 0 for the token itself, 1 for the one before."""
        place = np.arange(self.n)
        return place[:, None] - place[None, :]

    @relation
    def log_distance(self) -> npt.ArrayLike:
        """log(1 + distance)."""
        return np.log1p(self.distance)

    @relation
    def every(self) -> npt.ArrayLike:
        """Every key up to the query."""
        return np.ones((self.n, self.n))

    @relation
    def first(self) -> npt.ArrayLike:
        """The first token of the sequence."""
        return np.arange(self.n)[None, :] == np.zeros((self.n, 1))

    @relation
    def itself(self) -> npt.ArrayLike:
        """The query's own token."""
        return np.eye(self.n)

    def previous(self, k: int = 1) -> Array:
        """The token k places back; `previous(0)` is the token itself."""
        back = _count(k)
        return self._relation(f"previous({back})", lambda: np.eye(self.n, k=-back))

    def within(self, k: int) -> Array:
        """The token itself and the k before it."""
        back = _count(k)
        return self._relation(f"within({back})", lambda: self.distance <= back)

    def decay(self, k: float) -> Array:
        """exp(-distance / k): 1 at the token itself, 0.37 at k tokens back."""
        return self._relation(f"decay({float(k)})", lambda: np.exp(-self.distance / max(float(k), 1e-6)))

    # Words

    def words_back(self, k: int) -> Array:
        """The tokens of the k-th word before the query's; marks count as words, `words_back(0)` is the word itself."""
        back = _count(k)
        return self._relation(f"words_back({back})", lambda: self.word_distance == back)

    @relation
    def word_distance(self) -> npt.ArrayLike:
        """Words from key to query: 0 inside one word, 1 for the word or mark before."""
        return _differences(self._reading.word_index)

    @relation
    def same_word(self) -> npt.ArrayLike:
        """Pieces of the query's own word, the token itself included."""
        return _differences(self._reading.word_index) == 0

    @relation
    def word_start(self) -> npt.ArrayLike:
        """The first piece of the query's word (the token itself where the word has but one)."""
        return self.same_word * (self.key.piece_index == 0)

    @relation
    def word_ends(self) -> npt.ArrayLike:
        """The last piece of every word before the query's own."""
        index = np.array(self._reading.word_index)
        ends = np.append(index[1:] != index[:-1], False)  # whether the last token ends its word is open
        return ends[None, :] & (index[None, :] < index[:, None])

    @relation
    def previous_word(self) -> npt.ArrayLike:
        """All pieces of the last word before the query's, marks passed over."""
        text = self.is_text > 0
        index = np.array(self._reading.word_index)
        earlier = (index[None, :] < index[:, None]) & text[None, :]
        latest = np.where(earlier, index[None, :], -1).max(axis=1, keepdims=True)
        return index[None, :] == latest

    # Sentences and clauses

    @relation
    def same_sentence(self) -> npt.ArrayLike:
        """Tokens of the query's sentence so far."""
        return _differences(self._reading.sentence_index) == 0

    @relation
    def sentence_start(self) -> npt.ArrayLike:
        """The first token of the query's sentence."""
        return self.same_sentence * (self.key.place_in_sentence == 0)

    @relation
    def previous_sentence(self) -> npt.ArrayLike:
        """Tokens of the sentence before the query's."""
        return _differences(self._reading.sentence_index) == 1

    @relation
    def same_clause(self) -> npt.ArrayLike:
        """Tokens of the query's clause so far."""
        return _differences(self._reading.clause_index) == 0

    @relation
    def clause_start(self) -> npt.ArrayLike:
        """The first token of the query's clause."""
        return self.same_clause * (self.key.place_in_clause == 0)

    @relation
    def same_paragraph(self) -> npt.ArrayLike:
        """Tokens of the query's paragraph so far; paragraphs end at line breaks."""
        return _differences(self._reading.paragraph_index) == 0

    @relation
    def same_quote(self) -> npt.ArrayLike:
        """Both in one quotation, its marks included."""
        inside = self.query.in_quotes * self.key.in_quotes
        return inside * (_differences(self._reading.quote_index) == 0)

    # The nearest of a kind

    def last(self, x: Array) -> Array:
        """The nearest token, the query's own included, at which the feature x is above zero: `s.last(s.is_verb)`."""
        hits = np.where(_vector(x, self.n) > 0, np.arange(self.n), -1)
        return _frozen(np.arange(self.n)[None, :] == np.maximum.accumulate(hits)[:, None])

    def last_before(self, x: Array) -> Array:
        """The nearest token before the query's own at which the feature x is above zero."""
        hits = np.where(_vector(x, self.n) > 0, np.arange(self.n), -1)
        earlier = np.concatenate([[-1], np.maximum.accumulate(hits)[:-1]])
        return _frozen(np.arange(self.n)[None, :] == earlier[:, None])

    @relation
    def last_punctuation(self) -> npt.ArrayLike:
        """The nearest punctuation mark, the query's own included."""
        return self.last(self.is_punctuation)

    @relation
    def last_stop(self) -> npt.ArrayLike:
        """The nearest mark that ends a sentence, the query's own included."""
        return self.last(self.is_stop)

    @relation
    def last_newline(self) -> npt.ArrayLike:
        """The nearest line break, the query's own included."""
        return self.last(self.is_newline)

    @relation
    def last_quote(self) -> npt.ArrayLike:
        """The nearest quotation mark, the query's own included."""
        return self.last(self.is_quote)

    @relation
    def last_name(self) -> npt.ArrayLike:
        """The last piece of the nearest name, the query's own included."""
        return self.last(self.is_name)

    # Copies

    @relation
    def same_token(self) -> npt.ArrayLike:
        """Earlier copies of the query's token (the token itself is not one)."""
        return _equal(self._reading.surfaces) & ~np.eye(self.n, dtype=bool)

    @relation
    def last_same_token(self) -> npt.ArrayLike:
        """The nearest earlier copy of the query's token."""
        copies = self.same_token > 0
        nearest = np.where(copies, np.arange(self.n)[None, :], -1).max(axis=1, keepdims=True)
        return copies & (np.arange(self.n)[None, :] == nearest)

    @relation
    def induction(self) -> npt.ArrayLike:
        """The token after an earlier copy of the query's token."""
        return self.context_match >= 1

    @relation
    def last_induction(self) -> npt.ArrayLike:
        """The token after the nearest earlier copy of the query's token."""
        return _right(self.last_same_token)

    @relation
    def context_match(self) -> npt.ArrayLike:
        """How many tokens before the key equal those up to the query, counted back together: 0 to 4."""
        equal = _equal(self._reading.surfaces)
        run = _right(equal)
        total = run.astype(np.float32)
        for _ in range(3):
            run = _right(equal & _down(run))
            total += run
        return total

    @relation
    def same_word_text(self) -> npt.ArrayLike:
        """Tokens where an earlier word read as the query's word does so far, capitals ignored."""
        return _equal_words(self._reading.word) & (_differences(self._reading.word_index) > 0)

    @relation
    def word_induction(self) -> npt.ArrayLike:
        """The first piece after an earlier copy of the query's word so far, capitals ignored."""
        reading = self._reading
        finished = (
            "",
            *(w if reading.word_index[j] != reading.word_index[j + 1] else "" for j, w in enumerate(reading.word[:-1])),
        )
        codes = _codes((*finished, *reading.word))
        before, own = codes[: self.n], codes[self.n :]
        known = np.array([word != "" for word in finished])
        return (own[:, None] == before[None, :]) & known[None, :]


def softmax(scores: npt.ArrayLike) -> Array:
    """Row-wise softmax over the keys that the query may see (j ≤ i); the other keys get 0.

    Args:
        scores: `[n, n]` or anything that broadcasts to it from at least one axis of length n; -inf shuts a key out.

    Returns:
        `[n, n]`; a row sums to 1, or is NaN (which the harness reads as empty) where every score is -inf.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        square = _square(scores)
        masked = np.where(_causal(len(square)) > 0, square, np.float32(-np.inf))
        masked -= masked.max(axis=1, keepdims=True)
        np.exp(masked, out=masked)
        masked /= masked.sum(axis=1, keepdims=True)
    return masked


def normalize(weights: npt.ArrayLike) -> Array:
    """Row-wise share of each key among the keys that the query may see (j ≤ i); negative and NaN weights count as 0.

    Args:
        weights: `[n, n]` or anything that broadcasts to it from at least one axis of length n.

    Returns:
        `[n, n]`; a row sums to 1, or is all 0 where it had no weight.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        square = _square(weights)
        kept = np.where((square > 0) & (_causal(len(square)) > 0), square, np.float32(0))
        total = kept.sum(axis=1, keepdims=True)
        return np.divide(kept, total, out=np.zeros_like(kept), where=total > 0)


def _square(values: npt.ArrayLike) -> Array:
    array = np.asarray(values, np.float32)
    size = max(array.shape, default=0)
    if size == 0 or any(length not in {1, size} for length in array.shape) or array.ndim > 2:  # noqa: PLR2004
        message = f"expected an [n, n] array or a part of one ([n], [1, n], [n, 1]), got shape {array.shape}"
        raise ValueError(message)
    return np.broadcast_to(array, (size, size))


def _vector(values: npt.ArrayLike, size: int) -> Array:
    vector = np.asarray(values, np.float32).reshape(-1)
    if len(vector) != size:
        message = f"expected one number for each of the {size} tokens, such as s.is_name, got {len(vector)}"
        raise ValueError(message)
    return vector


@functools.lru_cache(maxsize=4)  # few: 16 MB each at 2,000 tokens, and a generated text grows through every size
def _causal(size: int) -> Array:
    return _frozen(np.tri(size))


def _frozen(values: npt.ArrayLike) -> Array:
    array = np.array(values, np.float32)
    array.setflags(write=False)
    return array


def _count(k: int) -> int:
    if int(k) != k or k < 0:
        message = f"expected a whole number of 0 or more, got {k!r}"
        raise ValueError(message)
    return int(k)


def _since_change(index: Sequence[int]) -> Array:
    """For each place, how many places ago the number last changed."""
    numbers = np.array(index)
    place = np.arange(len(numbers))
    begins = np.concatenate([[True], numbers[1:] != numbers[:-1]]) if len(numbers) else np.zeros(0, bool)
    return (place - np.maximum.accumulate(np.where(begins, place, 0))).astype(np.float32)


def _differences(index: Sequence[int]) -> Array:
    numbers = np.array(index, np.float32)
    return numbers[:, None] - numbers[None, :]


def _letters(texts: Sequence[str]) -> Array:
    return np.array([sum(character.isalnum() for character in text) for text in texts], np.float32)


def _codes(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(text, len(numbers)) for text in texts], np.int64)


def _equal(texts: Sequence[str]) -> npt.NDArray[np.bool_]:
    codes = _codes(texts)
    return codes[:, None] == codes[None, :]


def _equal_words(texts: Sequence[str]) -> npt.NDArray[np.bool_]:
    known = np.array([text != "" for text in texts])
    return _equal(texts) & known[None, :] & known[:, None]


def _right(matrix: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Move every column one place to the right: what was true of key j is now true of key j + 1."""
    moved = np.zeros_like(matrix)
    moved[:, 1:] = matrix[:, :-1]
    return moved


def _down(matrix: npt.NDArray[Any]) -> npt.NDArray[Any]:
    moved = np.zeros_like(matrix)
    moved[1:] = matrix[:-1]
    return moved


@functools.lru_cache(maxsize=4096)
def _could_be_common(beginning: str) -> bool:
    return any(word.startswith(beginning) for word in _COMMON_WORDS)


_COMMON_WORDS = (words.MOST_COMMON | words.COMMON | words.FAMILIAR) - words.NAMES


@dataclass(frozen=True)
class Term:
    """One name of the program language."""

    name: str
    """How it is written in a program: `s.same_word`, `s.previous(k)`, `softmax(scores)`."""
    kind: str
    """side, value, feature, relation, or function."""
    shape: str
    """Of a side, of the features that it gives; of a feature `[n]`, as it is without a side; of a relation `[n, n]`."""
    meaning: str
    """In one sentence."""


_SIDES = {"key": "[1, n]", "query": "[n, 1]", "word": "[n, n]"}


def _vocabulary() -> Iterator[Term]:
    for name, item in {**vars(Sentence), **vars(TokenFeatures)}.items():
        if name.startswith("_"):
            continue
        meaning = " ".join((inspect.getdoc(item) or "").split())
        if name in _SIDES:
            yield Term(f"s.{name}", "side", _SIDES[name], meaning)
        elif isinstance(item, property):
            yield Term(f"s.{name}", "value", "number" if name == "n" else "n strings", meaning)
        elif isinstance(item, relation):
            yield Term(f"s.{name}", "relation", "[n, n]", meaning)
        elif isinstance(item, feature):
            yield Term(f"s.{name}", "feature", "[n]", meaning)
        else:
            arguments = list(inspect.signature(item).parameters)[1:]
            kind, shape = ("feature", "[n]") if name in vars(TokenFeatures) else ("relation", "[n, n]")
            yield Term(f"s.{name}({', '.join(arguments)})", kind, shape, meaning)
    for function in (softmax, normalize):
        meaning = (inspect.getdoc(function) or "").split("\n", maxsplit=1)[0]
        yield Term(
            f"{function.__name__}({next(iter(inspect.signature(function).parameters))})", "function", "[n, n]", meaning
        )


VOCABULARY: tuple[Term, ...] = tuple(_vocabulary())
"""Every name of the program language, in the order of this module."""
