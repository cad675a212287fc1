"""Look at the tokens before this one with a slow decay, hardly at the token itself."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        -3.0 * s.itself  # hardly the token itself
        - s.distance / 16  # the nearer the more
    )
