"""Look at everything before, twice as far half as much."""

# /// script
# [tool.readhead]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        -1.0 * s.log_distance  # one over the distance
    )
