"""Look at punctuation and small grammatical words, the nearer the more."""

# /// script
# [tool.readhead]
# category = "boundaries"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        3.0 * s.key.is_punctuation  # punctuation marks
        + 2.0 * s.word.is_conjunction  # and, but, because …
        + 2.0 * s.word.is_preposition  # of, in, with …
        + 2.0 * s.word.is_determiner  # a, the, this …
        - s.distance / 12  # the nearer the more
    )
