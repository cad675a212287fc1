"""Verbs look at the noun, name or pronoun before; other tokens look at their clause."""

# /// script
# [tool.readhead]
# category = "syntax"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    subject = s.last_before(s.is_noun + s.is_name + s.is_subject_pronoun)
    return softmax(
        5.0 * (s.query.is_verb + s.query.is_auxiliary) * subject  # a verb: its subject
        + 2.5 * s.itself  # the token itself
        + 1.5 * s.same_clause  # the clause so far
        - s.distance / 16  # the nearer a little more
    )
