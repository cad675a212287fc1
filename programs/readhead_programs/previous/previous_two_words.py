"""Look at the two words or marks before the token's own word."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        4.0 * s.words_back(1)  # the word before
        + 3.5 * s.words_back(2)  # the word before that
        + 2.0 * s.words_back(3)  # a little at the third
    )
