"""Look at the small words that hold a sentence together, near or far."""

# /// script
# [tool.readhead]
# category = "syntax"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        2.0 * s.word.is_function  # determiners, pronouns, prepositions, conjunctions, auxiliaries
        - s.distance / 40  # the nearer a little more
    )
