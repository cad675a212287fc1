"""Look at the last pieces of the words before, the nearer the more.

A word's last piece is the place where a small model knows the word as a whole.
"""

# /// script
# [tool.readhead]
# category = "word assembly"
# ///

import numpy as np

from readhead.language import Sentence, softmax


def head(s: Sentence):
    ends = np.append(s.word_index[1:] != s.word_index[:-1], False)
    return softmax(
        2.5 * ends * (s.word_distance > 0)  # tokens with which a word ended
        - s.distance / 10  # the nearer the more
    )
