"""Look at the first token and at the marks that end sentences.

Both are places that a head may rest on; the marks take a share once they are there.
"""

# /// script
# [tool.readhead]
# category = "first token"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        4.5 * s.first  # the first token
        + 4.0 * s.key.is_stop  # full stops, question and exclamation marks
        + 2.0 * s.key.is_newline  # line breaks
    )
