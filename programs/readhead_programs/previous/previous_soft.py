"""Look at the previous token, with some leak to the two before it."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        5.0 * s.previous(1)  # the token just before
        + 3.5 * s.previous(2)  # the one before that
        + 2.5 * s.previous(3)  # and the third
    )
