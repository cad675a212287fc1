"""Inside a word look at its earlier pieces; at its start look at the last pieces of the words before."""

# /// script
# [tool.readhead]
# category = "word assembly"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        5.0 * s.query.is_continuation * (s.same_word - s.itself)  # inside a word: its earlier pieces
        + 3.0 * s.word_ends  # else the tokens with which words ended
        - s.distance / 8  # the nearer the more
    )
