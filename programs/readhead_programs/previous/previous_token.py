"""Look at the previous token.

Later heads build on this: they know what stood before each token.
"""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence


def head(s: Sentence):
    return s.previous(1)
