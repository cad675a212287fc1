"""Look at earlier copies of the token and at the last few tokens."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        3.0 * s.same_token  # earlier copies
        - s.distance / 10  # the nearer the more
    )
