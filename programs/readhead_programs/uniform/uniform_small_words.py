"""Look at the most common words and at punctuation evenly, wherever they stand."""

# /// script
# [tool.readhead]
# category = "uniform"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        2.5 * s.word.is_most_common  # the hundred most common words
        + 2.5 * s.key.is_punctuation  # punctuation marks
    )
