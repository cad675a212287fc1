"""Pronouns look at the names, nouns and pronouns so far; other tokens look at their sentence."""

# /// script
# [tool.readhead]
# category = "coreference"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        3.5 * s.query.is_pronoun * s.word.is_name  # a pronoun: names
        + 2.0 * s.query.is_pronoun * s.word.is_noun  # and nouns
        + 2.0 * s.query.is_pronoun * s.key.is_pronoun  # and pronouns
        + 2.0 * s.same_sentence  # the sentence so far
        + 2.0 * s.itself  # and a little more the token itself
    )
