"""Look at the clause so far, hardly past its beginning."""

# /// script
# [tool.readhead]
# category = "boundaries"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        4.0 * s.same_clause  # the clause so far
    )
