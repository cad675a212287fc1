"""Look at everything evenly except the last few tokens."""

# /// script
# [tool.readhead]
# category = "uniform"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        -3.0 * s.within(6)  # not the last few
    )
