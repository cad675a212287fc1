"""A program of ours whose answer must never change, for processes in which one program is run after another.

It finds what a program has left behind by accident, or by an open generator: not an enemy who has the process and
knows of it.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from readhead import language
from readhead.sandbox.block import Layout
from readhead.sandbox.performance import Performance

_TEXT: Final = " The", " cat", ",", " and", " then", " the", " cat", " un", "happ", "ily", " sat", " (", "3", ")", "."
_PROGRAM: Final = """
def head(s):
    counts = {}
    for i, token in enumerate(s.tokens):
        counts.setdefault(token.lower(), []).append(i)
    order = sorted(counts, key=lambda t: (-len(counts[t]), t))
    rare = np.array([order.index(token.lower()) for token in s.tokens], dtype=np.float32)
    found = np.array([bool(re.search("[a-z]+", token)) for token in s.tokens])
    scores = 3.0 * s.previous(1) + 0.5 * s.induction + s.key.is_comma + np.where(found, rare, -1.0)[None, :]
    scores = scores - math.log1p(len(order)) + np.tril(np.outer(rare, rare)).sum(axis=1, keepdims=True)
    extremes = np.log(s.first), s.first / s.first, np.exp(-999.0 * s.distance), np.exp(999.0 * s.distance)
    scores = scores + sum(np.nan_to_num(extreme, posinf=1.0, neginf=-1.0) for extreme in extremes)
    return softmax(scores) + normalize(s.same_token) + np.exp(-s.distance) @ np.eye(s.n)
"""


def answer(names: dict[str, Any]) -> str:
    """A digest of what it says now, with these globals."""
    layout = Layout((len(_TEXT),))
    block = bytearray(layout.offsets[-1])
    performance = Performance(_PROGRAM, names, block)
    performance.define()
    performance.play([language.Sentence(_TEXT)], layout)
    return hashlib.sha256(block[Layout.REPORT :]).hexdigest()
