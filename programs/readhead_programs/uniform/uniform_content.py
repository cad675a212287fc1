"""Look at nouns, verbs, adjectives and names evenly, wherever they stand."""

# /// script
# [tool.readhead]
# category = "uniform"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        2.5 * s.word.is_noun  # nouns
        + 2.5 * s.word.is_verb  # verbs
        + 2.5 * s.word.is_adjective  # adjectives
        + 2.5 * s.word.is_name  # names
    )
