"""Look mostly at the token itself, then at the last few, the nearer the more."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        2.5 * s.itself  # the token itself
        - s.distance / 6  # the nearer the more
    )
