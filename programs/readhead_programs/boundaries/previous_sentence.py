"""Look at the sentence before this one; in the first sentence, at its beginning."""

# /// script
# [tool.readhead]
# category = "boundaries"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        3.5 * s.previous_sentence  # the sentence before
        + 3.0 * s.sentence_start  # where this one began
    )
