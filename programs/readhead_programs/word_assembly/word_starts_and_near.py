"""Look at the first pieces of words, the nearer the more."""

# /// script
# [tool.readhead]
# category = "word assembly"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        2.5 * s.key.is_word_start  # the first piece of any word
        - s.distance / 10  # the nearer the more
    )
