"""Look at the last dozen tokens, the nearer the more."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        -s.distance / 8  # the nearer the more
    )
