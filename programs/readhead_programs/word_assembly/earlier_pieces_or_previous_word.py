"""Inside a word look at its earlier pieces; at its start look at the word before."""

# /// script
# [tool.readhead]
# category = "word assembly"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        6.0 * (s.same_word - s.itself)  # the earlier pieces of the own word
        + 4.0 * s.previous_word  # where there are none, the word before
    )
