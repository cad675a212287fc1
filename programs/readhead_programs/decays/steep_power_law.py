"""Look at the nearest tokens, with a long thin tail over everything before."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        -2.0 * s.log_distance  # one over the distance squared
    )
