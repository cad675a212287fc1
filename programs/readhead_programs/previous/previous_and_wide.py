"""Look at the token before, and at everything with a slow decay."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        3.0 * s.previous(1)  # the token before
        - s.distance / 24  # everything, the nearer a little more
    )
