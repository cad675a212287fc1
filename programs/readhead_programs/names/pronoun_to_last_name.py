"""Pronouns look at the last name; other tokens look at the first token."""

# /// script
# [tool.readhead]
# category = "coreference"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        6.0 * s.query.is_pronoun * s.last_before(s.is_name)  # a pronoun: the last name
        + 4.0 * s.first  # else the first token
        + 2.0 * s.itself  # and a little the token itself
    )
