"""Look at the word before, and at the last few tokens, but not at the token itself."""

# /// script
# [tool.readhead]
# category = "word assembly"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        2.0 * s.previous_word  # the pieces of the word before
        - 2.0 * s.itself  # not the token itself
        - s.distance / 8  # the nearer the more
    )
