"""Look at the last handful of tokens, the nearer the more."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        -s.distance / 4  # the nearer the more
    )
