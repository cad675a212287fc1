"""Look at the last pieces of all words before, the nearer a little more."""

# /// script
# [tool.readhead]
# category = "word assembly"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        2.5 * s.word_ends  # tokens with which a word ended
        - 1.0 * s.itself  # less at the token itself
        - s.distance / 30  # the nearer a little more
    )
