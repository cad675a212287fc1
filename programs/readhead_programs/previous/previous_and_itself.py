"""Look at the previous token and at the token itself alike."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        5.0 * s.previous(1)  # the token just before
        + 5.0 * s.itself  # the token itself
    )
