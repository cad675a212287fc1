"""Look at the token itself and the three before it alike."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        4.5 * s.within(3)  # the last four tokens
    )
