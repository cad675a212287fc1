"""Share the look between the first token and the last few."""

# /// script
# [tool.readhead]
# category = "first token"
# ///

from readhead.language import Sentence, normalize


def head(s: Sentence):
    return (
        0.5 * s.first  # the first token
        + 0.5 * normalize(s.decay(6))  # the last few
    )
