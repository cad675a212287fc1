"""Look at the first token of the clause, then at the last few tokens."""

# /// script
# [tool.readhead]
# category = "boundaries"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        4.0 * s.clause_start  # where the clause began
        - s.distance / 10  # the nearer the more
    )
