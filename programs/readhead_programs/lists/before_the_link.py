"""Look at the token before the last comma or conjunction: the list's item before."""

# /// script
# [tool.readhead]
# category = "syntax"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    link = s.last_before(s.is_comma + s.is_conjunction)
    return softmax(
        5.0 * (link @ s.previous(1))  # the end of the item before
        + 3.5 * link  # the comma or conjunction
        + 2.0 * s.same_word  # the own word
        + 2.0 * s.first  # without a link, the first token
    )
