"""Look at the token after the nearest earlier copy; without a copy, at the token itself."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        6.0 * s.last_induction  # what came after the nearest copy
        + 4.5 * s.itself  # else the token itself
    )
