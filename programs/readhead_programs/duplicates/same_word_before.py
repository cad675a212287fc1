"""Look at where the same word stood before; without one, at the pieces of the own word."""

# /// script
# [tool.readhead]
# category = "coreference"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        5.0 * s.same_word_text  # the word's earlier copies
        + 4.0 * s.same_word  # else the own word
    )
