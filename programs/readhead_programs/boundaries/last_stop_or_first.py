"""Look at the mark that ended the last sentence; in the first sentence, at the first token."""

# /// script
# [tool.readhead]
# category = "boundaries"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        6.0 * s.last_stop  # the nearest full stop, question or exclamation mark
        + 4.0 * s.first  # else the first token
    )
