"""Look around earlier copies of this token: at the copy, the token after it, and the next."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        3.0 * s.same_token  # earlier copies
        + 4.0 * s.induction  # what came after them
        + 2.0 * (s.induction @ s.previous(1).T)  # and after that
        - s.distance / 24  # the nearer a little more
    )
