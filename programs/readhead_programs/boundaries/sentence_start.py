"""Look at the first token of the sentence, and at the sentence evenly for the rest."""

# /// script
# [tool.readhead]
# category = "boundaries"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        5.0 * s.sentence_start  # where the sentence began
        + 2.0 * s.same_sentence  # the sentence so far
    )
