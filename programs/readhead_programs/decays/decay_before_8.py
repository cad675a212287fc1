"""Look at the dozen tokens before, the nearer the more, not at the token itself."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        -s.distance / 8  # the nearer the more
        - 4.0 * s.itself  # but not the token itself
    )
