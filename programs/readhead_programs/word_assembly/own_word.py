"""Look at the pieces of the token's own word so far.

Models with small vocabularies gather a word's letters before they can say what the word is.
"""

# /// script
# [tool.readhead]
# category = "word assembly"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        6.0 * s.same_word  # the pieces of the own word
    )
