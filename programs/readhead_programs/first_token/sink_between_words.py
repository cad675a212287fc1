"""Inside a word look at its earlier pieces; at the start of a word look at the first token."""

# /// script
# [tool.readhead]
# category = "first token"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        4.0 * s.first  # the first token
        + 5.5 * s.query.is_continuation * s.same_word  # inside a word: its pieces
    )
