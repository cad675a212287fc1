"""Look at punctuation marks and at the last few tokens."""

# /// script
# [tool.readhead]
# category = "boundaries"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        3.0 * s.key.is_punctuation  # punctuation marks
        - s.distance / 10  # the nearer the more
    )
