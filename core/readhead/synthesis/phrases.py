"""Terms in words, made from tables: what a comment beside a term and the first line of a program say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    "same_word": ("this token and the earlier pieces of its word", "in this word so far"),
    "word_ends": ("the last pieces of earlier words", "among the last pieces of earlier words"),
    "previous_word": ("the word before", "in the word before"),
    "same_sentence": ("this sentence so far", "in this sentence so far"),
    "previous_sentence": ("the sentence before", "in the sentence before"),
    "same_clause": ("this clause so far", "in this clause so far"),
    "same_quote": ("this quotation so far", "in this quotation so far"),
    "same_token": ("earlier copies of this token", "among earlier copies of this token"),
    "induction": ("what followed earlier copies of this token", "among what followed earlier copies of this token"),
    "context_match": ("what followed the same words as now", "among what followed the same words as now"),
    "same_word_text": ("where an earlier word began like this one", "where an earlier word began like this one"),
    "word_induction": ("what followed earlier copies of this word", "among what followed earlier copies of this word"),
    "log_distance": ("tokens, more strongly the farther back they are", ", more strongly the farther back they are"),
}
"""Relations that hold for many keys: alone, and after the name of a class."""

_BACK: Final = ("this token itself", "the token just before")
_WORDS_BACK: Final = ("this word", "the word or mark before", "the second word back", "the third word back")


def kind(side: Side, names: Mapping[Side, str], *, one: bool = False) -> str:
    """A class or set in words; a set by its name in the program."""
    if isinstance(side, TokenClass):
        return _KINDS[side.feature][0 if one else 1]
    return f"one of {names[side]}" if one else names[side]


def relation(item: Relation, of: str = "") -> str:
    """A relation in words; `of` names the keys that it is asked of."""
    name, argument = item.name, item.argument
    alone, after = _MANY.get(name) or (_ONE.get(name, ""), "")
    if name == "previous":
        alone = _BACK[int(argument)] if argument in {0, 1} else f"the token {argument} places back"
    elif name == "last":
        alone = f"the nearest token so far that is {_KINDS[str(argument)][0]}"
    elif name == "words_back":
        alone = _WORDS_BACK[int(argument or 0)]
        after = f"in {alone}"
    elif name == "within":
        alone = f"this token and the {'one' if argument == 1 else argument} before it"
        after = f"among {alone}"
    elif name == "decay":
        alone, after = f"tokens nearby, fading to a third over {argument:g} tokens", ""
        after = alone.removeprefix("tokens ")
    if not of:
        return alone
    return f"{of}{after}" if after.startswith(",") else f"{of} {after}".strip()


def is_single(item: Relation) -> bool:
    """Whether the relation holds for one key at most."""
    return item.name in _ONE or item.name in {"previous", "last"}


def clause(term: Term, weight: float, names: Mapping[Side, str]) -> str:
    """What a term looks at or avoids, and for which queries: `the first piece of this word, if this token is …`."""
    of = "" if term.key is None else kind(term.key, names)
    if term.relation.name == "log_distance" and weight < 0:
        words = f"looks at {of or 'tokens'}, more strongly the nearer they are"
    elif term.key is not None and is_single(term.relation):
        words = f"{_verb(weight)} {relation(term.relation)}, where that is {kind(term.key, names, one=True)}"
    else:
        words = f"{_verb(weight)} {relation(term.relation, of)}"
    return words if term.query is None else f"{words} (if this token is {kind(term.query, names, one=True)})"


def _verb(weight: float) -> str:
    return "looks at" if weight > 0 else "avoids"


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
_NEARNESS: Final = ("within", "decay", "log_distance")
"""Relations that say what an idea is where nothing else does."""
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
    best = max(shares, key=lambda name: shares[name]) if shares else "mixed"
    return best if shares.get(best, 0.0) > _HALF * sum(importance) else "mixed"


def _category(term: Term) -> Category | None:
    names = [] if term.relation == EVERY else [term.relation.name, str(term.relation.argument)]
    names += [side.feature for side in (term.key, term.query) if isinstance(side, TokenClass)]
    named = (found for name in names for found, listed in _CATEGORIES.items() if name in listed)
    return next(named, "sequential and induction" if term.relation.name in _NEARNESS else None)
