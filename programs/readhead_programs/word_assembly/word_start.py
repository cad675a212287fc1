"""Look at the first piece of the own word."""

# /// script
# [tool.readhead]
# category = "word assembly"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        5.0 * s.word_start  # the first piece of the own word
        + 1.5 * s.same_word  # a little at the other pieces
    )
