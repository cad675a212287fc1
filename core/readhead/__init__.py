"""Readhead reads attention heads as code.

For every attention head of a language model it finds a short Python program that predicts the head's attention
pattern from the text alone, and says how good it is.

Axes, in every annotation and comment: `B` sequence in a batch, `L` layer, `H` head, `Q` query position, `K` key
position, `n` tokens of a sequence. A pattern is `[Q, K]`: rows look, columns are looked at; rows sum to 1, and
nothing lies above the diagonal.

Importing this package has no effects; names below are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from readhead.corpus import Sizes
    from readhead.errors import ReadheadError
    from readhead.heads import HeadId
    from readhead.scores import HeadScore
    from readhead.session import Explanation, explain, score

__version__ = "0.1.0"

__all__ = ["Explanation", "HeadId", "HeadScore", "ReadheadError", "Sizes", "explain", "score"]

_HOMES = {
    "Explanation": "readhead.session",
    "HeadId": "readhead.heads",
    "HeadScore": "readhead.scores",
    "ReadheadError": "readhead.errors",
    "Sizes": "readhead.corpus",
    "explain": "readhead.session",
    "score": "readhead.session",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
