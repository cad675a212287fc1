"""Look at names and pronouns: whoever the text is about."""

# /// script
# [tool.readhead]
# category = "coreference"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        3.0 * s.word.is_name  # names
        + 3.0 * s.word.is_pronoun  # pronouns
        + 1.0 * s.same_sentence  # those of this sentence first
    )
