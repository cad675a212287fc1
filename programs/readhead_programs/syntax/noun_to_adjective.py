"""Nouns look at the adjectives of their clause; other tokens look at the word before."""

# /// script
# [tool.readhead]
# category = "syntax"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        5.0 * s.query.is_noun * s.word.is_adjective * s.same_clause  # a noun: adjectives of its clause
        + 3.0 * s.words_back(1)  # the word before
        + 2.5 * s.itself  # and a little the token itself
    )
