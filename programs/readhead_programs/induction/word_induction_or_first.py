"""Look at the word after an earlier copy of this word; without a copy, at the first token."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        5.5 * s.word_induction  # what came after the word before
        + 3.5 * s.first  # else the first token
    )
