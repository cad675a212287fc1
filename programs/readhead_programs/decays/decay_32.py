"""Look at everything so far, the nearer a little more."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        -s.distance / 32  # the nearer a little more
    )
