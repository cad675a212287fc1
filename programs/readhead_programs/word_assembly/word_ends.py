"""Look at the last pieces of the words before, the nearer the more.

A word's last piece is the place where a small model knows the word as a whole.
"""

# /// script
# [tool.readhead]
# category = "word assembly"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        2.5 * s.word_ends  # tokens with which a word ended
        - s.distance / 10  # the nearer the more
    )
