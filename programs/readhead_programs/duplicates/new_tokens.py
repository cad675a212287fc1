"""Look at tokens that were new when they came, the nearer the more.

What has not been said before carries the most.
"""

# /// script
# [tool.readhead]
# category = "mixed"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        -2.5 * s.key.is_repeated  # not at what was there before
        - s.distance / 16  # the nearer the more
    )
