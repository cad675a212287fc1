"""Inside a word look at its earlier pieces; at its start look at the last few tokens."""

# /// script
# [tool.readhead]
# category = "word assembly"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        4.0 * s.same_word  # the pieces of the own word
        - 4.5 * s.itself  # but not the token itself
        - s.distance / 6  # the nearer the more
    )
