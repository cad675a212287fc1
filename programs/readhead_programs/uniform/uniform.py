"""Look at everything so far evenly."""

# /// script
# [tool.readhead]
# category = "uniform"
# ///

from readhead.language import Sentence


def head(s: Sentence):
    return s.every
