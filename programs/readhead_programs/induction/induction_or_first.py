"""Look at the token after an earlier copy of this one; without a copy, at the first token."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        6.0 * s.induction  # what came after earlier copies
        + 4.0 * s.first  # else the first token
    )
