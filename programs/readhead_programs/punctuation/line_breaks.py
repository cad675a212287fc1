"""Look at line breaks and sentence ends; before the first of them, at the whole text."""

# /// script
# [tool.readhead]
# category = "boundaries"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        4.5 * s.key.is_newline  # line breaks
        + 3.0 * s.key.is_stop  # full stops, question and exclamation marks
        + 1.0 * s.same_paragraph  # this paragraph rather than earlier ones
    )
