"""Look at the token after the longest match with the last tokens; else at the first token."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        2.5 * s.context_match  # the longer the match the more
        + 4.0 * s.first  # else the first token
    )
