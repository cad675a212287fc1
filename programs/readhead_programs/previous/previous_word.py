"""Look at all pieces of the word before."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        4.5 * s.previous_word  # the pieces of the word before
    )
