"""Look at the beginning of the text and at the last few tokens, hardly at the middle."""

# /// script
# [tool.readhead]
# category = "uniform"
# ///

import numpy as np

from readhead.language import Sentence, normalize


def head(s: Sentence):
    return (
        normalize(np.exp(-s.key.position / 6))  # the beginning
        + normalize(s.decay(10))  # the last few
    )
