"""Look at words that carry meaning, near or far."""

# /// script
# [tool.readhead]
# category = "syntax"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        2.0 * s.word.is_content  # nouns, verbs, adjectives, adverbs, names
        - s.distance / 40  # the nearer a little more
    )
