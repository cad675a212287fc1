"""Look at commas and at words like and, or and but, the nearer the more."""

# /// script
# [tool.readhead]
# category = "syntax"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        3.5 * s.key.is_comma  # commas
        + 3.0 * s.word.is_conjunction  # and, or, but …
        - s.distance / 16  # the nearer the more
    )
