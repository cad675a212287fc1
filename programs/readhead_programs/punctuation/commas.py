"""Look at commas, and at the sentence so far for the rest."""

# /// script
# [tool.readhead]
# category = "boundaries"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        4.5 * s.key.is_comma  # commas
        + 2.0 * s.same_sentence  # the sentence so far
    )
