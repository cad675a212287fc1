"""Look at the names so far."""

# /// script
# [tool.readhead]
# category = "coreference"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        4.0 * s.word.is_name  # all pieces of names
    )
