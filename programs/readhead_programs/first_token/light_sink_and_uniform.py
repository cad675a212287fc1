"""Look at the first token a little, and at everything evenly for the rest."""

# /// script
# [tool.readhead]
# category = "first token"
# ///

from readhead.language import Sentence, normalize


def head(s: Sentence):
    return (
        0.3 * s.first  # the first token
        + 0.7 * normalize(s.every)  # everything
    )
