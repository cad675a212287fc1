"""Look at the last name, and at the last few tokens for the rest."""

# /// script
# [tool.readhead]
# category = "coreference"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        4.5 * s.last_name  # the nearest name
        + 1.0 * s.word.is_name  # other names a little
        - s.distance / 8  # the nearer the more
    )
