"""Look at nouns, verbs, adjectives and names, the nearer the more."""

# /// script
# [tool.readhead]
# category = "syntax"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        2.0 * s.word.is_noun  # nouns
        + 2.0 * s.word.is_verb  # verbs
        + 2.0 * s.word.is_adjective  # adjectives
        + 2.0 * s.word.is_name  # names
        - s.distance / 12  # the nearer the more
    )
