"""Look at the pieces of the own word, and at commas, stops and the most common words."""

# /// script
# [tool.readhead]
# category = "word assembly"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        4.0 * s.same_word  # the pieces of the own word
        + 2.0 * s.word.is_most_common  # the most common words
        + 2.0 * s.key.is_punctuation  # punctuation marks
        - s.distance / 16  # the nearer the more
    )
