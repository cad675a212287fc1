"""Look at the token itself for half, and at everything before evenly."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        3.5 * s.itself  # the token itself
    )
