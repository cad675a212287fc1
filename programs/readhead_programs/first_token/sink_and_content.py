"""Look at the first token, and at nouns, verbs and names."""

# /// script
# [tool.readhead]
# category = "first token"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        4.0 * s.first  # the first token
        + 2.0 * s.word.is_noun  # nouns
        + 2.0 * s.word.is_verb  # verbs
        + 2.0 * s.word.is_name  # names
    )
