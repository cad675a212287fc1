"""Look three or four tokens back, with some leak to the tokens beside them."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        4.5 * s.previous(3)  # three back
        + 4.5 * s.previous(4)  # four back
        + 3.0 * s.previous(2)  # two back
        + 3.0 * s.previous(5)  # five back
    )
