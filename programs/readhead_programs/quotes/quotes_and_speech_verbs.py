"""Look at quotation marks and at words like said and asked, the nearer the more."""

# /// script
# [tool.readhead]
# category = "mixed"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        3.5 * s.key.is_quote  # quotation marks
        + 3.5 * s.word.is_speech_verb  # said, asked …
        - s.distance / 20  # the nearer the more
    )
