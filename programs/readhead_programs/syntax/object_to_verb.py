"""Nouns and object pronouns look at the verb before; other tokens look at the first token."""

# /// script
# [tool.readhead]
# category = "syntax"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    gate = s.query.is_noun + s.query.is_object_pronoun + s.query.is_article
    return softmax(
        6.0 * gate * s.last_before(s.is_verb)  # an object: its verb
        + 3.5 * s.first  # else the first token
        + 2.0 * s.same_clause  # and the clause so far
    )
