"""Inside a quotation look at the quotation so far; outside, at what is not quoted."""

# /// script
# [tool.readhead]
# category = "boundaries"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    outside = (1 - s.query.in_quotes) * (1 - s.key.in_quotes)
    return softmax(
        4.0 * s.same_quote  # inside: the quotation so far
        + 3.0 * outside  # outside: what stands outside
        + 2.0 * s.itself  # and a little more the token itself
        - s.distance / 24  # the nearer a little more
    )
