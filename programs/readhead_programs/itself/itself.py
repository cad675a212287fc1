"""Look at the token itself."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence


def head(s: Sentence):
    return s.itself
