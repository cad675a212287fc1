"""Look at the token after an earlier copy of this one; without a copy, at the last few."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        4.0 * s.induction  # what came after earlier copies
        - s.distance / 8  # else the nearer the more
    )
