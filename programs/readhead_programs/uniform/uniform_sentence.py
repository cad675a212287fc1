"""Look at the sentence so far evenly, and a little at what stood before it."""

# /// script
# [tool.readhead]
# category = "uniform"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        3.0 * s.same_sentence  # the sentence so far
    )
