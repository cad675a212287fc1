"""Look at the most common words, the nearer the more."""

# /// script
# [tool.readhead]
# category = "syntax"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        2.5 * s.word.is_most_common  # the hundred most common words
        - s.distance / 12  # the nearer the more
    )
