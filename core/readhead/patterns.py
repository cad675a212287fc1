"""Extracting patterns, and the packed store that keeps them on disk.

A pattern `[n, n]` is packed to its lower triangle, row by row: `n(n+1)/2` numbers, row i at `i(i+1)/2`. The store is
one file of fp16 records, a record a sequence, `[heads, triangle]`. It is written in order under the name
`patterns.part` and renamed when it is whole: whoever finds `patterns.f16` has all of it, and an interrupted run goes
on after the last whole record. Reading maps the file; memory depends on the batch, never on the corpus.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from readhead.errors import ModelError, StoreError

if TYPE_CHECKING:
    from readhead.corpus import TokenSequence
    from readhead.models import LoadedModel

Array = npt.NDArray[np.float32]
Number = TypeVar("Number", bound=np.generic)
Progress = Callable[[int, int], None]
"""Called with what is done and what there is to do."""

BATCH_TOKENS = 1024
"""Tokens that go through the model at once."""
_ROW_TOLERANCE = 0.01
"""How far fp16 may move the sum of a row."""


def packed_size(length: int) -> int:
    """Numbers in a packed pattern of `length` tokens."""
    return length * (length + 1) // 2


def pack(patterns: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """`[..., n, n]` to `[..., n(n+1)/2]`: the lower triangle, row by row; a copy."""
    length = patterns.shape[-1]
    return patterns.reshape(*patterns.shape[:-2], length * length).take(_triangle(length), axis=-1)


def unpack(packed: Array, length: int) -> Array:
    """`[..., n(n+1)/2]` to `[..., n, n]`, zero above the diagonal."""
    patterns = np.zeros((*packed.shape[:-1], length * length), np.float32)
    patterns[..., _triangle(length)] = packed
    return patterns.reshape(*packed.shape[:-1], length, length)


@lru_cache(maxsize=4)
def _triangle(length: int) -> npt.NDArray[np.intp]:
    """The places of the lower triangle in a flat `[n * n]` pattern; read-only."""
    return _frozen(np.flatnonzero(np.tri(length, dtype=bool)))


@lru_cache(maxsize=4)
def row_starts(length: int) -> npt.NDArray[np.intp]:
    """Where each row of a packed pattern begins; also the places of its first key column. Read-only."""
    rows = np.arange(length)
    return _frozen(rows * (rows + 1) // 2)


def _frozen(places: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    places.setflags(write=False)
    return places


def row_sums(packed: Array, length: int) -> Array:
    """`[..., n]`: the sum of each row of packed patterns, added up in float64."""
    return np.add.reduceat(packed, row_starts(length), axis=-1, dtype=np.float64).astype(np.float32)


def divide_rows(packed: Array, totals: Array) -> Array:
    """Packed patterns with each row divided by its total, `[..., n]`."""
    spread: Array = np.repeat(totals, np.arange(1, totals.shape[-1] + 1), axis=-1)
    return packed / spread


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
        stored = self._stored[sequence]
        packed = (stored if head is None else stored[head]).astype(np.float32)
        return divide_rows(packed, row_sums(packed, self.length))

    @cached_property
    def _stored(self) -> npt.NDArray[np.float16]:
        """The mapped file, `[sequences, heads, triangle]`."""
        shape = (self.sequences, self.heads, packed_size(self.length))
        return np.asarray(np.memmap(self.path, np.float16, "r", shape=shape))


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
    length = len(sequences[0].ids)
    batch = max(1, BATCH_TOKENS // length)
    done = _whole_records(part, record, length) // batch * batch  # cut into batches as in an undisturbed run
    with part.open("ab") as file:
        file.truncate(done * record)
        for start in range(done, len(sequences), batch):
            if progress:
                progress(start, len(sequences))
            file.write(read_packed(model, sequences[start : start + batch]).data)
        file.flush()
        os.fsync(file.fileno())
    if progress:
        progress(len(sequences), len(sequences))


def _whole_records(part: Path, record: int, length: int) -> int:
    """Records of an interrupted run that are whole: all rows sum to 1, where a crash may leave zeros on the disk."""
    count = 0
    if part.exists():
        with part.open("rb") as file:
            while len(stored := file.read(record)) == record and _is_whole(stored, length):
                count += 1
    return count


def _is_whole(record: bytes, length: int) -> bool:
    packed = np.frombuffer(record, np.float16).reshape(-1, packed_size(length))
    return np.allclose(row_sums(packed.astype(np.float32), length), 1, atol=_ROW_TOLERANCE)


def read_packed(model: LoadedModel, sequences: Sequence[TokenSequence]) -> npt.NDArray[np.float16]:
    """`[sequences, heads, triangle]`: the patterns of one batch, in one forward pass."""
    import torch  # noqa: PLC0415 - only who reads a model waits for torch

    from readhead.attention import read_patterns  # noqa: PLC0415 - as above
    from readhead.models import evaluating  # noqa: PLC0415 - as above

    length = len(sequences[0].ids)
    heads = model.geometry.heads
    packed = np.empty((len(sequences), model.geometry.size, packed_size(length)), np.float16)

    def keep(layer: int, patterns: torch.Tensor) -> None:
        dense = patterns.numpy(force=True)  # [B, H, Q, K]
        packed[:, layer * heads : (layer + 1) * heads] = pack(dense)

    try:
        with evaluating(model.model):
            read_patterns(model.model, torch.tensor([sequence.ids for sequence in sequences]), keep)
    except RuntimeError as error:  # out of memory: on the CPU torch has no class of its own for that
        raise ModelError(
            f"{model.name} cannot run on {len(sequences)} texts of {length} tokens: {str(error).splitlines()[0]}",
            hint="use a smaller --length, or another --device",
        ) from error
    return packed


def write_beside(path: Path, text: str) -> None:
    """Replace the file `path` whole: written beside it, then renamed.

    Raises:
        StoreError: if that cannot be done; the old file is untouched.
    """
    path = path.resolve()  # through a link, to the file it names
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            beside.chmod(path.stat().st_mode)
        beside.replace(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}", hint="check its rights and the disk") from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
