"""Inside a word look at the piece before; at its start look at the token itself."""

# /// script
# [tool.readhead]
# category = "word assembly"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        6.0 * s.same_word * s.previous(1)  # the piece before, inside the word
        + 4.0 * s.itself  # the token itself
    )
