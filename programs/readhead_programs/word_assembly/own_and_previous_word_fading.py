"""Look at the own word, at the previous word half as much, and ever less further back."""

# /// script
# [tool.readhead]
# category = "word assembly"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        2.5 * s.same_word  # the pieces of the own word
        + 1.5 * s.previous_word  # the pieces of the word before
        - s.distance / 12  # the nearer the more
    )
