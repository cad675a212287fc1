"""Look at the earlier pieces of the own word, and at everything before with a slow decay."""

# /// script
# [tool.readhead]
# category = "word assembly"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        3.0 * s.same_word  # the pieces of the own word
        - 4.0 * s.itself  # but not the token itself
        - s.distance / 20  # everything, the nearer a little more
    )
