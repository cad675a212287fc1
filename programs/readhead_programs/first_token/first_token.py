"""Look at the first token.

Heads rest there when they have nothing to say: its value is small, so that little is written.
"""

# /// script
# [tool.readhead]
# category = "first token"
# ///

from readhead.language import Sentence


def head(s: Sentence):
    return s.first
