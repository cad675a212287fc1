"""Inside a quotation look at who is speaking, names and pronouns outside it; else look near."""

# /// script
# [tool.readhead]
# category = "coreference"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    told = s.query.in_quotes * (1 - s.key.in_quotes)
    return softmax(
        4.0 * told * s.word.is_name  # inside: names outside of it
        + 3.0 * told * s.key.is_subject_pronoun  # he, she, they …
        + 3.0 * told * s.word.is_speech_verb  # said, asked …
        + 2.0 * s.same_clause  # the clause so far
        - s.distance / 16  # the nearer a little more
    )
