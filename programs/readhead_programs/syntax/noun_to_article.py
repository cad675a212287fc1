"""Nouns look at the article or determiner before them; other tokens look at the previous token."""

# /// script
# [tool.readhead]
# category = "syntax"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        6.0 * s.query.is_noun * s.last_before(s.is_determiner + s.is_possessive)  # a noun: its article
        + 4.5 * s.previous(1)  # the token just before
    )
