"""Nouns look at nouns, verbs at verbs, adjectives at adjectives and names at names."""

# /// script
# [tool.readhead]
# category = "syntax"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        3.5 * s.query.is_noun * s.key.is_noun  # a noun: nouns
        + 3.5 * s.query.is_verb * s.key.is_verb  # a verb: verbs
        + 3.5 * s.query.is_adjective * s.key.is_adjective  # an adjective: adjectives
        + 3.5 * s.query.is_name * s.key.is_name  # a name: names
        + 2.0 * s.first  # else the first token
        - s.distance / 32  # the nearer a little more
    )
