"""Look at the token itself and the two or three before, the nearer the more."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        -s.distance / 2  # the nearer the more
    )
