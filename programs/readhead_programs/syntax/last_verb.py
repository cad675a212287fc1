"""Look at the last verb, and at the clause so far for the rest."""

# /// script
# [tool.readhead]
# category = "syntax"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        4.5 * s.last_before(s.is_verb + s.is_auxiliary)  # the last verb
        + 2.0 * s.same_clause  # the clause so far
        - s.distance / 24  # the nearer a little more
    )
