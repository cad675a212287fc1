"""Look mostly at the first token, and at everything else evenly."""

# /// script
# [tool.readhead]
# category = "first token"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        4.5 * s.first  # the first token
    )
