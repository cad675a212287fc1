"""Look at the first tokens of all sentences so far."""

# /// script
# [tool.readhead]
# category = "boundaries"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        4.0 * s.key.starts_sentence  # where sentences began
    )
