"""Look at the token itself and at the rest of its sentence so far."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        4.0 * s.itself  # the token itself
        + 2.5 * s.same_sentence  # the sentence so far
    )
