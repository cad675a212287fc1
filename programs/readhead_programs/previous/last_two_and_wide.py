"""Look at the token itself and the one before, and at everything with a slow decay."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        2.0 * s.within(1)  # the token itself and the one before
        - s.distance / 32  # everything, the nearer a little more
    )
