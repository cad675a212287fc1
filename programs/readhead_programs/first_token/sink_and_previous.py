"""Share the look between the first token and the previous one."""

# /// script
# [tool.readhead]
# category = "first token"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        5.5 * s.first  # the first token
        + 5.0 * s.previous(1)  # the token just before
        + 3.0 * s.previous(2)  # and the one before that
    )
