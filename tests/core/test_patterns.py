"""Extracted patterns are the model's own, and the store on disk is whole or goes on where it stopped."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pytest
import torch

from core.architectures import eager_patterns, tiny_model
from core.tokenizers_in_tests import sentencepiece
from readhead import patterns
from readhead.corpus import TokenSequence
from readhead.errors import StoreError
from readhead.models import LoadedModel, wrap_model
from readhead.patterns import PatternStore, extract_patterns, packed_size, read_packed, row_sums, unpack
from readhead.tokens import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LENGTH = 12
COUNT = 11
BATCH = 4
RECORD = 2 * 3 * 4 * packed_size(LENGTH)
"""Bytes of one sequence: fp16, 3 layers of 4 heads."""
MEMORY = Path(__file__).parents[1] / "benchmarks" / "extraction_memory.py"


def sequences(count: int, *, seed: int = 0) -> list[TokenSequence]:
    ids = np.random.default_rng(seed).integers(3, 64, (count, LENGTH)).tolist()
    return [TokenSequence(tuple(row), Text(tuple(map(str, row)))) for row in ids]


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return wrap_model(tiny_model("llama"), sentencepiece())


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "BATCH_TOKENS", BATCH * LENGTH)


@pytest.fixture
def whole(model: LoadedModel, tmp_path: Path) -> bytes:
    """The file of an undisturbed run over all sequences."""
    return extract_patterns(model, sequences(COUNT), tmp_path / "whole").path.read_bytes()


class Interrupted:
    """A `read_packed` that counts its sequences, and stops the run before a given batch."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, before_batch: int | None = None) -> None:
        self.batches = self.sequences = 0
        self.before_batch = before_batch
        monkeypatch.setattr(patterns, "read_packed", self)

    def __call__(self, model: LoadedModel, batch: Sequence[TokenSequence]) -> Any:
        if self.batches == self.before_batch:
            raise KeyboardInterrupt
        self.batches += 1
        self.sequences += len(batch)
        return read_packed(model, batch)


# ---- what is extracted -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gpt_neo"])
def test_stored_patterns_are_the_eager_attentions_of_the_model(architecture: str, tmp_path: Path) -> None:
    model = wrap_model(tiny_model(architecture), sentencepiece())
    texts = sequences(COUNT)
    store = extract_patterns(model, texts, tmp_path)
    own = eager_patterns(model.model, torch.tensor([text.ids for text in texts]))
    for place in range(COUNT):
        expected = torch.cat([layer[place] for layer in own]).numpy()  # [heads, n, n], layer by layer
        assert unpack(store.read(place), LENGTH) == pytest.approx(expected, abs=1e-3)
        assert unpack(store.read(place, 5), LENGTH) == pytest.approx(expected[5], abs=1e-3)


def test_rows_read_from_the_store_sum_to_one_more_closely_than_fp16_keeps_them(
    model: LoadedModel, tmp_path: Path
) -> None:
    store = extract_patterns(model, sequences(COUNT), tmp_path)
    stored = np.fromfile(store.path, np.float16).reshape(COUNT, store.heads, -1).astype(np.float32)
    assert np.abs(row_sums(stored, LENGTH) - 1).max() > 1e-5
    for place in range(COUNT):
        assert np.abs(row_sums(store.read(place), LENGTH) - 1).max() < 1e-6


def test_model_in_training_is_read_without_its_dropout_and_stays_in_training(tmp_path: Path) -> None:
    model = wrap_model(tiny_model("gpt2"), sentencepiece())
    own = extract_patterns(model, sequences(COUNT), tmp_path / "own").path.read_bytes()
    model.model.train()
    assert extract_patterns(model, sequences(COUNT), tmp_path / "training").path.read_bytes() == own
    assert all(module.training for module in model.model.modules())


def test_store_says_its_progress_up_to_the_end(model: LoadedModel, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    extract_patterns(model, sequences(COUNT), tmp_path, progress=lambda done, total: told.append((done, total)))
    assert told == [(0, COUNT), (4, COUNT), (8, COUNT), (COUNT, COUNT)]


# ---- what is not extracted again -------------------------------------------------------------------------------------


def test_finished_store_is_not_extracted_again(
    model: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = extract_patterns(model, sequences(COUNT), tmp_path)
    counter = Interrupted(monkeypatch)
    assert extract_patterns(model, sequences(COUNT), tmp_path) == first
    assert counter.batches == 0


def test_store_of_another_corpus_leaves_the_first_as_it_was(model: LoadedModel, tmp_path: Path, whole: bytes) -> None:
    other = extract_patterns(model, sequences(COUNT, seed=1), tmp_path / "other")
    assert other.path.read_bytes() != whole
    assert (tmp_path / "whole" / "patterns.f16").read_bytes() == whole


# ---- interrupted runs ------------------------------------------------------------------------------------------------


def test_killed_run_shows_no_store_and_the_next_run_does_the_rest(
    model: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: bytes
) -> None:
    folder = tmp_path / "killed"
    with monkeypatch.context() as patch:
        Interrupted(patch, before_batch=2)
        with pytest.raises(KeyboardInterrupt):
            extract_patterns(model, sequences(COUNT), folder)
    assert not (folder / "patterns.f16").exists()
    rest = Interrupted(monkeypatch)
    assert extract_patterns(model, sequences(COUNT), folder).path.read_bytes() == whole
    assert rest.sequences == COUNT - 2 * BATCH
    assert not (folder / "patterns.part").exists()


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "half a number": lambda data: data[: 5 * RECORD + 1],
    "half a record": lambda data: data[: 5 * RECORD + RECORD // 2],
    "half a batch": lambda data: data[: 6 * RECORD],
    "zeros at the end": lambda data: data[: 7 * RECORD] + bytes(3 * RECORD),
    "zeros from the middle of a record": lambda data: data[: 6 * RECORD + RECORD // 2 + 10] + bytes(RECORD),
    "zeros in one row": lambda data: data[: 5 * RECORD - 2 * LENGTH] + bytes(2 * LENGTH) + data[5 * RECORD :],
    "all but the new name": lambda data: data,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_part_is_mended_to_the_file_of_an_undisturbed_run(
    damage: str, model: LoadedModel, tmp_path: Path, whole: bytes
) -> None:
    folder = tmp_path / "damaged"
    folder.mkdir()
    (folder / "patterns.part").write_bytes(DAMAGE[damage](whole))
    assert extract_patterns(model, sequences(COUNT), folder).path.read_bytes() == whole


def test_store_of_a_wrong_size_is_replaced(model: LoadedModel, tmp_path: Path, whole: bytes) -> None:
    (tmp_path / "whole" / "patterns.f16").write_bytes(whole[:RECORD])
    assert extract_patterns(model, sequences(COUNT), tmp_path / "whole").path.read_bytes() == whole


# ---- a full disk -----------------------------------------------------------------------------------------------------


class FullDisk:
    """A file that holds five records and a half, and then says that the disk is full."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def write(self, data: memoryview) -> None:
        room = 5 * RECORD + RECORD // 2 - self.file.tell()
        self.file.write(bytes(data)[:room])
        if room < data.nbytes:
            raise OSError(errno.ENOSPC, "No space left on device")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


def test_full_disk_is_one_clear_error_and_the_next_run_goes_on(
    model: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: bytes
) -> None:
    folder = tmp_path / "full"
    with monkeypatch.context() as patch:
        own_open = Path.open

        def full(path: Path, *arguments: Any, **options: Any) -> Any:
            file = own_open(path, *arguments, **options)
            return FullDisk(file) if "ab" in arguments else file

        patch.setattr(Path, "open", full)
        with pytest.raises(StoreError, match=r"cannot be stored in .*full: No space left on device") as error:
            extract_patterns(model, sequences(COUNT), folder)
    assert error.value.hint.startswith("make room for ")
    assert (folder / "patterns.part").stat().st_size > 5 * RECORD
    rest = Interrupted(monkeypatch)
    assert extract_patterns(model, sequences(COUNT), folder).path.read_bytes() == whole
    assert rest.sequences == COUNT - BATCH


def test_folder_that_cannot_be_made_is_one_clear_error(model: LoadedModel, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="Not a directory"):
        extract_patterns(model, sequences(COUNT), tmp_path / "file" / "store")


# ---- memory ----------------------------------------------------------------------------------------------------------


def test_store_that_was_read_can_be_read_again_after_its_name_is_gone(model: LoadedModel, tmp_path: Path) -> None:
    store = extract_patterns(model, sequences(COUNT), tmp_path)
    before = store.read(3)
    store.path.unlink()
    assert (store.read(3) == before).all()
    assert PatternStore(store.path, COUNT, store.heads, LENGTH) == store


@pytest.mark.slow
def test_peak_memory_of_extraction_does_not_grow_with_the_corpus(tmp_path: Path) -> None:
    def peak_mb(count: int) -> float:
        command = [sys.executable, str(MEMORY), "--sequences", str(count), "--folder", str(tmp_path / str(count))]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
        return float(done.stdout)

    assert peak_mb(2000) - peak_mb(100) < 300
