"""Look at the last few words, the nearer the more, all pieces of a word alike."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        -s.word_distance / 2  # the nearer the word the more
    )
