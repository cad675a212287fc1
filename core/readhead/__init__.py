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
    from readhead.api import explain, score
    from readhead.corpus import Sizes
    from readhead.errors import ReadheadError
    from readhead.explanation import Explanation
    from readhead.heads import HeadId
    from readhead.scores import HeadScore
    from readhead.surrogates.hybrid import replaced
    from readhead.surrogates.planner import Plan
    from readhead.surrogates.switchboard import Switchboard

__version__ = "0.1.0"

__all__ = [
    "Explanation",
    "HeadId",
    "HeadScore",
    "Plan",
    "ReadheadError",
    "Sizes",
    "Switchboard",
    "explain",
    "replaced",
    "score",
]

_HOMES = {
    "Explanation": "readhead.explanation",
    "HeadId": "readhead.heads",
    "HeadScore": "readhead.scores",
    "ReadheadError": "readhead.errors",
    "Plan": "readhead.surrogates.planner",
    "Sizes": "readhead.corpus",
    "Switchboard": "readhead.surrogates.switchboard",
    "explain": "readhead.api",
    "replaced": "readhead.surrogates.hybrid",
    "score": "readhead.api",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
