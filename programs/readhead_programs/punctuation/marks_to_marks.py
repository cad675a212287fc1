"""Punctuation marks look at earlier marks; words look at the previous token."""

# /// script
# [tool.readhead]
# category = "boundaries"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        4.5 * s.query.is_punctuation * s.key.is_punctuation  # a mark: the marks so far
        + 4.0 * (1 - s.query.is_punctuation) * s.previous(1)  # a word: the token just before
        - s.distance / 16  # the nearer the more
    )
