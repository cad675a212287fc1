"""Extracting patterns, and the packed store that keeps them on disk.

A pattern `[n, n]` is packed to its lower triangle, row by row: `n(n+1)/2` numbers, row i at `i(i+1)/2`. The store is
one file of fp16 records, a record a sequence, `[heads, triangle]`. It is written in order under the name
`patterns.part` and renamed when it is whole: whoever finds `patterns.f16` has all of it, and an interrupted run goes
on after the last whole record. Reading maps the file; memory depends on the batch, never on the corpus.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from readhead.errors import StoreError
from readhead.heads import Geometry

if TYPE_CHECKING:
    from readhead.corpus import TokenSequence
    from readhead.models import LoadedModel

Array = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called with what is done and what there is to do."""

BATCH_TOKENS = 1024
"""Tokens that go through the model at once."""


def packed_size(length: int) -> int:
    """Numbers in a packed pattern of `length` tokens."""
    return length * (length + 1) // 2


def pack(patterns: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """`[..., n, n]` to `[..., n(n+1)/2]`: the lower triangle, row by row."""
    rows, columns = np.tril_indices(patterns.shape[-1])
    return patterns[..., rows, columns]


def unpack(packed: Array, length: int) -> Array:
    """`[..., n(n+1)/2]` to `[..., n, n]`, zero above the diagonal."""
    patterns = np.zeros((*packed.shape[:-1], length, length), np.float32)
    rows, columns = np.tril_indices(length)
    patterns[..., rows, columns] = packed
    return patterns


def row_starts(length: int) -> npt.NDArray[np.int64]:
    """Where each row of a packed pattern begins; also the places of its first key column."""
    rows = np.arange(length)
    return rows * (rows + 1) // 2


def row_sums(packed: Array, length: int) -> Array:
    """`[..., n]`: the sum of each row of packed patterns."""
    return np.add.reduceat(packed, row_starts(length), axis=-1)


@dataclass(frozen=True)
class PatternStore:
    """The neural patterns of all heads on some sequences, on disk."""

    path: Path
    sequences: int
    heads: int
    length: int
    """Tokens a sequence."""

    def read(self, sequence: int, head: int | None = None) -> Array:
        """One sequence's patterns `[heads, triangle]`, or one head's `[triangle]`.

        float32; rows are renormalised to sum to 1 after the trip through fp16.
        """
        shape = (self.sequences, self.heads, packed_size(self.length))
        stored = np.memmap(self.path, np.float16, "r", shape=shape)[sequence]
        packed = (stored if head is None else stored[head]).astype(np.float32)
        totals = row_sums(packed, self.length)
        packed /= np.repeat(totals, np.arange(1, self.length + 1), axis=-1)
        return packed


def extract_patterns(
    model: LoadedModel, sequences: Sequence[TokenSequence], folder: Path, *, progress: Progress | None = None
) -> PatternStore:
    """The store of `model`'s patterns on `sequences`, which are of one length, in `folder`; made only where missing.

    A second process that wants the same store waits for the first. An interrupted run is resumed.

    Raises:
        StoreError: if the folder cannot be written, as on a full disk. What was written stays for the next run.
    """
    length = len(sequences[0].ids)
    store = PatternStore(folder / "patterns.f16", len(sequences), model.geometry.size, length)
    record = store.heads * packed_size(length) * 2
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "patterns.lock"):
            if store.path.exists() and store.path.stat().st_size == record * store.sequences:
                return store
            _extract(model, sequences, folder / "patterns.part", record, progress)
            (folder / "patterns.part").replace(store.path)
    except OSError as error:
        raise StoreError(
            f"patterns cannot be stored in {folder}: {error.strerror or error}",
            hint=f"make room for {record * store.sequences / 1e6:.0f} MB there; what was extracted is kept",
        ) from error
    return store


def _extract(
    model: LoadedModel, sequences: Sequence[TokenSequence], part: Path, record: int, progress: Progress | None
) -> None:
    """Append the records that `part` lacks."""
    done = _whole_records(part, record, model.geometry)
    batch = max(1, BATCH_TOKENS // len(sequences[0].ids))
    with part.open("ab") as file:
        file.truncate(done * record)
        for start in range(done, len(sequences), batch):
            if progress:
                progress(start, len(sequences))
            file.write(read_packed(model, sequences[start : start + batch]).tobytes())
        file.flush()
        os.fsync(file.fileno())
    if progress:
        progress(len(sequences), len(sequences))


def _whole_records(part: Path, record: int, geometry: Geometry) -> int:
    """Records of an interrupted run that are whole: the first weight of every head is 1, as row 0 has one key."""
    if not part.exists():
        return 0
    count = part.stat().st_size // record
    if count == 0:
        return 0
    stored = np.memmap(part, np.float16, "r", shape=(count, geometry.size, record // geometry.size // 2))
    whole = (stored[:, :, 0] == 1).all(axis=1)
    return int(count if whole.all() else np.argmin(whole))


def read_packed(model: LoadedModel, sequences: Sequence[TokenSequence]) -> npt.NDArray[np.float16]:
    """`[sequences, heads, triangle]`: the patterns of one batch, in one forward pass."""
    import torch  # noqa: PLC0415 - only who reads a model waits for torch

    from readhead.attention import read_patterns  # noqa: PLC0415 - as above

    length = len(sequences[0].ids)
    heads = model.geometry.heads
    packed = np.empty((len(sequences), model.geometry.size, packed_size(length)), np.float16)

    def keep(layer: int, patterns: torch.Tensor) -> None:
        dense = patterns.numpy(force=True)  # [B, H, Q, K]
        packed[:, layer * heads : (layer + 1) * heads] = pack(dense)

    read_patterns(model.model, torch.tensor([sequence.ids for sequence in sequences]), keep)
    return packed


def write_beside(path: Path, text: str) -> None:
    """Replace the file `path` whole: written beside it, then renamed.

    Raises:
        StoreError: if that cannot be done; the old file is untouched.
    """
    try:
        mode = path.stat().st_mode if path.exists() else None
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", newline="", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            Path(file.name).chmod(mode)
        Path(file.name).replace(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}", hint="check its rights and the disk") from error
