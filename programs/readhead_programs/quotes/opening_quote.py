"""Inside a quotation look at the mark that opened it; outside, at the first token."""

# /// script
# [tool.readhead]
# category = "boundaries"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        6.0 * s.same_quote * s.key.is_opening_quote  # inside: where the quotation began
        + 3.5 * s.first  # outside: the first token
        + 2.0 * s.same_sentence  # the sentence so far
    )
