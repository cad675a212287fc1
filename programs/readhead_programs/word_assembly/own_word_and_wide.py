"""Look at the pieces of the own word, and at everything before with a slow decay."""

# /// script
# [tool.readhead]
# category = "word assembly"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        2.5 * s.same_word  # the pieces of the own word
        - s.distance / 24  # everything, the nearer a little more
    )
