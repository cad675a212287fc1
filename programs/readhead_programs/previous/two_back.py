"""Look two tokens back, with some leak to the tokens beside it."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        5.0 * s.previous(2)  # two back
        + 3.0 * s.previous(1)  # one back
        + 3.0 * s.previous(3)  # three back
    )
