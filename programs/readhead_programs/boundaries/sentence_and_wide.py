"""Look at the own sentence so far, and a little at the sentences before."""

# /// script
# [tool.readhead]
# category = "boundaries"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        1.5 * s.same_sentence  # the own sentence
        - s.distance / 40  # the nearer a little more
    )
