"""Look at the nearest punctuation mark; before the first mark, at the first token."""

# /// script
# [tool.readhead]
# category = "boundaries"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        5.5 * s.last_punctuation  # the nearest mark
        + 3.0 * s.first  # else the first token
    )
