"""Look at the sentence so far, the nearer the more."""

# /// script
# [tool.readhead]
# category = "boundaries"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        3.0 * s.same_sentence  # the sentence so far
        - s.distance / 10  # the nearer the more
    )
