"""Look at the nearest earlier copy of the token; without a copy, at the first token."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        6.0 * s.last_same_token  # the nearest copy
        + 4.0 * s.first  # else the first token
    )
