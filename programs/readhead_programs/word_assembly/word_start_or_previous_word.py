"""Inside a word look at its first piece; at its start look at the word before."""

# /// script
# [tool.readhead]
# category = "word assembly"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        6.0 * s.query.is_continuation * s.word_start  # inside a word: its first piece
        + 4.5 * (1 - s.query.is_continuation) * s.words_back(1)  # else the word before
        - s.distance / 12  # the nearer the more
    )
