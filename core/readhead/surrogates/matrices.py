"""Predictions as the matrices that take the place of patterns in a forward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from readhead.attention import OwnPattern
from readhead.patterns import Array, unpack
from readhead.surrogates.switchboard import Control


def control_matrix(control: Control, length: int) -> Tensor:
    """`[n, n]`, float32; all rows but those of `Control.ZERO` sum to 1."""
    matrix = torch.zeros(length, length)
    if control is Control.UNIFORM:
        matrix = torch.ones(length, length).tril() / torch.arange(1, length + 1)[:, None]
    elif control is Control.FIRST:
        matrix[:, 0] = 1
    return matrix


def stacked(packed: Sequence[Array | None], length: int) -> tuple[Tensor, list[int]]:
    """Predictions of sequences of one length as `[B, n, n]`, and the places of those that are missing, left zero."""
    missing = [place for place, each in enumerate(packed) if each is None]
    filled = [np.zeros(length * (length + 1) // 2, np.float32) if each is None else each for each in packed]
    return torch.from_numpy(unpack(np.stack(filled), length)), missing


def placed(prediction: Tensor | None, text: Tensor, total: int, queries: int, keys: int) -> Tensor:
    """A prediction `[m, m]` in its place among padding: `[queries, keys]`, the last ones of `total` positions.

    Args:
        prediction: of the text alone; None counts as zero.
        text: `[m]`, the positions of the text's tokens among the `total`, ascending.
        total: positions so far, those in the cache included.
        queries: positions of this pass.
        keys: positions that the layer still has; a sliding window may have dropped earlier ones.
    """
    result = torch.zeros(queries, keys)
    if prediction is None:
        return result
    if len(text) == total:
        return prediction[total - queries :, total - keys :]
    rows, columns = text - (total - queries), text - (total - keys)
    own, seen = rows >= 0, columns >= 0
    result[rows[own][:, None], columns[seen]] = prediction[own][:, seen]
    return result


def within_sight(matrix: Tensor, own: OwnPattern) -> Tensor:
    """A matrix `[B, Q, K]` on the keys that the layer may see, such as a sliding window; rows sum to 1 again.

    A row that loses everything falls to the first key that it sees; one that sees nothing is zero.
    """
    seen = own.seen
    if seen is None:
        return matrix
    visible = seen[:, 0].expand(matrix.shape).tril(own.keys - own.queries)
    kept = matrix * visible
    totals = kept.sum(-1, keepdim=True)
    blind = (totals == 0) & matrix.sum(-1, keepdim=True).bool()
    first = visible & (visible.cumsum(-1) == 1)
    return torch.where(blind, first.to(kept), kept / torch.where(totals == 0, 1.0, totals))


def or_own(matrices: Mapping[int, Tensor], missing: Mapping[int, Sequence[int]], own: OwnPattern) -> dict[int, Tensor]:
    """The matrices of a layer's heads `[B, Q, K]`, with the model's own patterns where a prediction is missing."""
    result = dict(matrices)
    for head, places in missing.items():
        if places:
            result[head] = matrices[head].clone()
            result[head][places] = own()[places, head].to(matrices[head])
    return result
