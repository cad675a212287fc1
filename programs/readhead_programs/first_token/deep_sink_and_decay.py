"""Look at the first token nearly always, and a little at the last few."""

# /// script
# [tool.readhead]
# category = "first token"
# ///

from readhead.language import Sentence, normalize


def head(s: Sentence):
    return (
        0.8 * s.first  # the first token
        + 0.2 * normalize(s.decay(4))  # the last few
    )
