"""Terms in words, made from tables: what a comment beside a term and the first line of a program say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from readhead.program import Category
from readhead.synthesis.basis import EVERY, Relation, Side, Term, TokenClass

_KINDS: Final[dict[str, tuple[str, str]]] = {
    "is_special": ("a special token", "special tokens"),
    "is_text": ("a word or a piece of one", "words and pieces of words"),
    "is_word_start": ("the first piece of a word", "first pieces of words"),
    "is_continuation": ("a later piece of a word", "later pieces of words"),
    "is_capital": ("part of a capitalised word", "capitalised words"),
    "is_digit": ("a digit", "digits"),
    "is_short": ("a word of one to three letters so far", "words of one to three letters so far"),
    "is_long": ("a word of six letters or more", "words of six letters or more"),
    "is_punctuation": ("a punctuation mark", "punctuation marks"),
    "is_comma": ("a comma", "commas"),
    "is_period": ("a full stop", "full stops"),
    "is_stop": ("a mark that ends a sentence", "marks that end a sentence"),
    "is_question": ("a question mark", "question marks"),
    "is_exclamation": ("an exclamation mark", "exclamation marks"),
    "is_colon": ("a colon or semicolon", "colons and semicolons"),
    "is_dash": ("a dash", "dashes"),
    "is_bracket": ("a bracket", "brackets"),
    "is_apostrophe": ("an apostrophe", "apostrophes"),
    "is_quote": ("a quotation mark", "quotation marks"),
    "is_opening_quote": ("an opening quotation mark", "opening quotation marks"),
    "is_closing_quote": ("a closing quotation mark", "closing quotation marks"),
    "is_newline": ("a line break", "line breaks"),
    "in_quotes": ("inside a quotation", "tokens inside quotations"),
    "starts_sentence": ("the first token of a sentence", "first tokens of sentences"),
    "starts_clause": ("the first token of a clause", "first tokens of clauses"),
    "is_article": ("an article", "articles"),
    "is_determiner": ("a determiner", "determiners"),
    "is_pronoun": ("a pronoun", "pronouns"),
    "is_subject_pronoun": ("a subject pronoun", "subject pronouns"),
    "is_object_pronoun": ("an object pronoun", "object pronouns"),
    "is_possessive": ("a possessive", "possessives"),
    "is_preposition": ("a preposition", "prepositions"),
    "is_conjunction": ("a conjunction", "conjunctions"),
    "is_auxiliary": ("an auxiliary verb", "auxiliary verbs"),
    "is_verb": ("a verb", "verbs"),
    "is_speech_verb": ("a verb of speech", "verbs of speech"),
    "is_noun": ("a noun", "nouns"),
    "is_adjective": ("an adjective", "adjectives"),
    "is_adverb": ("an adverb", "adverbs"),
    "is_content": ("a content word", "content words"),
    "is_function": ("a function word", "function words"),
    "is_negation": ("a negation", "negations"),
    "is_question_word": ("a question word", "question words"),
    "is_number_word": ("a number", "numbers"),
    "is_name": ("a name", "names"),
    "is_most_common": ("one of the most common words", "the most common words"),
    "is_common": ("a common word", "common words"),
    "is_rare": ("a rare word", "rare words"),
    "is_repeated": ("a token seen before", "tokens seen before"),
}
"""Each class as a single thing and as many."""

_ONE: Final[dict[str, str]] = {
    "first": "the first token of the text",
    "last_same_token": "the nearest earlier copy of this token",
    "last_induction": "the token after the nearest earlier copy of this one",
    "word_start": "the first piece of this word",
    "sentence_start": "the first token of this sentence",
    "clause_start": "the first token of this clause",
}
"""Relations that hold for one key at most."""

_MANY: Final[dict[str, tuple[str, str]]] = {
    "every": ("all tokens so far", ""),
    "same_word": ("this token and the earlier pieces of its word", "in this word"),
    "word_ends": ("the last pieces of earlier words", "that end an earlier word"),
    "previous_word": ("the word before", "in the word before"),
    "same_sentence": ("this sentence so far", "in this sentence"),
    "previous_sentence": ("the sentence before", "in the sentence before"),
    "same_clause": ("this clause so far", "in this clause"),
    "same_quote": ("this quotation so far", "in this quotation"),
    "same_token": ("earlier copies of this token", "that are copies of this token"),
    "induction": ("what followed earlier copies of this token", "that followed a copy of this token"),
    "context_match": ("tokens that followed the same words as now", "that followed the same words as now"),
    "same_word_text": ("earlier places where a word began like this one", "where a word began like this one"),
    "word_induction": ("what followed earlier copies of this word", "that followed a copy of this word"),
    "log_distance": ("far tokens, the more the farther", "the more the farther"),
}
"""Relations that hold for many keys: alone, and after the name of a class."""


def kind(side: Side, names: dict[Side, str], *, one: bool = False) -> str:
    """A class or set in words; a set by its name in the program."""
    if isinstance(side, TokenClass):
        return _KINDS[side.feature][0 if one else 1]
    name = names[side]
    return f"one of {name}" if one else f"tokens of {name}"


def relation(item: Relation, of: str = "") -> str:
    """A relation in words; `of` names the keys that it is asked of."""
    name, argument = item.name, item.argument
    if name == "previous":
        return {0: "this token itself", 1: "the token just before"}.get(
            int(argument or 0), f"the token {argument} places back"
        )
    if name == "last":
        return f"the nearest token so far that is {_KINDS[str(argument)][0]}"
    if name == "words_back":
        return _within({1: "the word or mark before", 2: "the second word back"}.get(
            int(argument or 0), "the third word back"), of)
    if name == "within":
        near = f"this token and the {'one' if argument == 1 else argument} before it"
        return f"{of} among {near}" if of else near
    if name == "decay":
        return f"{of or 'tokens'} nearby, fading over about {argument:g} tokens"
    if name in _ONE:
        return _ONE[name]
    alone, after = _MANY[name]
    return f"{of} {after}".strip() if of else alone


def _within(place: str, of: str) -> str:
    return f"{of} in {place}" if of else place


def is_single(item: Relation) -> bool:
    """Whether the relation holds for one key at most."""
    return item.name in _ONE or item.name in {"previous", "last"}


def target(term: Term, names: dict[Side, str]) -> str:
    """What a term looks at, in words."""
    if term.key is None:
        return relation(term.relation)
    if is_single(term.relation):
        return f"{relation(term.relation)}, if it is {kind(term.key, names, one=True)}"
    return relation(term.relation, kind(term.key, names))


def comment(term: Term, weight: float, names: dict[Side, str]) -> str:
    """A term in words, to stand beside it."""
    words = target(term, names)
    if weight < 0:
        words = f"not {words}"
    return words if term.query is None else f"from {kind(term.query, names)}: {words}"


def explanation(terms: Sequence[tuple[Term, float]], names: dict[Side, str]) -> str:
    """A head in a line, from its most important terms, the most important first."""
    parts = []
    for term, weight in terms:
        gate = "" if term.query is None else f" from {kind(term.query, names)}"
        parts.append(("away from " if weight < 0 else "at ") + target(term, names) + gate)
    return f"Looks {'; '.join(parts)}."


_CATEGORIES: Final[dict[Category, tuple[str, ...]]] = {
    "first token": ("first", "is_special"),
    "sequential and induction": (
        "previous", "same_token", "last_same_token", "induction", "last_induction", "context_match", "word_induction",
        "same_word_text",
    ),
    "word assembly": (
        "same_word", "word_start", "previous_word", "words_back", "word_ends", "is_word_start", "is_continuation",
    ),
    "boundaries": (
        "same_sentence", "sentence_start", "previous_sentence", "same_clause", "clause_start", "same_quote",
        "is_punctuation", "is_comma", "is_period", "is_stop", "is_question", "is_exclamation", "is_colon", "is_quote",
        "is_newline", "in_quotes", "starts_sentence", "starts_clause", "is_opening_quote", "is_closing_quote",
    ),
    "coreference": ("is_name", "is_pronoun", "is_subject_pronoun", "is_object_pronoun", "is_possessive"),
    "syntax": (
        "is_article", "is_determiner", "is_preposition", "is_conjunction", "is_auxiliary", "is_verb", "is_noun",
        "is_speech_verb", "is_adjective", "is_adverb", "is_content", "is_function", "is_negation",
    ),
}  # fmt: skip
_HALF: Final = 0.5


def category(terms: Sequence[Term], importance: Sequence[float]) -> Category:
    """The kind of idea that most of the importance falls to; `mixed` where none has half of it."""
    if not terms:
        return "uniform"
    shares: dict[Category, float] = {}
    for term, share in zip(terms, importance, strict=True):
        found = _category(term)
        if found:
            shares[found] = shares.get(found, 0.0) + share
    best = max(shares, key=lambda name: shares[name], default="mixed")
    return best if shares.get(best, 0.0) > _HALF * sum(importance) else "mixed"


def _category(term: Term) -> Category | None:
    names = [] if term.relation == EVERY else [term.relation.name, str(term.relation.argument)]
    names += [side.feature for side in (term.key, term.query) if isinstance(side, TokenClass)]
    return next((found for name in names for found, listed in _CATEGORIES.items() if name in listed), None)
