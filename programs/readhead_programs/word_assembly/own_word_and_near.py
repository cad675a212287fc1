"""Look at the pieces of the own word, then at the last few tokens."""

# /// script
# [tool.readhead]
# category = "word assembly"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        3.0 * s.same_word  # the pieces of the own word
        - s.distance / 6  # the nearer the more
    )
