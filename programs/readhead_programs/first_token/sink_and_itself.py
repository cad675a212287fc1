"""Share the look between the first token and the token itself."""

# /// script
# [tool.readhead]
# category = "first token"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        5.0 * s.first  # the first token
        + 4.5 * s.itself  # the token itself
    )
