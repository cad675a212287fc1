"""Where the user was is kept between two starts; a damaged file counts as none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from readhead.workspace import STATE
from readhead_tui.remembered import FILE, Remembered


def written(root: Path, text: str | bytes) -> Path:
    file = root / STATE / FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return root


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    remembered = Remembered(
        welcomed=True, head="L2H3", view="head", colouring="lift", filter="lift < 0.1", theme="nord", palette="magma",
        compact=False,
    )  # fmt: skip
    remembered.write(tmp_path)
    assert Remembered.read(tmp_path) == remembered


def test_nothing_is_remembered_of_a_new_workspace(tmp_path: Path) -> None:
    assert Remembered.read(tmp_path) == Remembered()
    assert list(tmp_path.iterdir()) == [], "reading leaves no trace"


@pytest.mark.parametrize(
    "damaged",
    ["", "{", '{"head": "L1', "[]", "null", "7", '"text"', b"\xff\xfe\x00", b"\x00" * 100, "[" * 100_000],
    ids=["empty", "brace", "cut", "list", "null", "number", "text", "not UTF-8", "zeros", "deep"],
)
def test_a_damaged_file_counts_as_none(tmp_path: Path, damaged: str | bytes) -> None:
    assert Remembered.read(written(tmp_path, damaged)) == Remembered()


def test_values_of_another_kind_are_left_out_and_so_are_unknown_ones(tmp_path: Path) -> None:
    document = {"head": 7, "view": None, "colouring": "lift", "welcomed": "yes", "later": [1]}
    assert Remembered.read(written(tmp_path, json.dumps(document))) == Remembered(colouring="lift")


@pytest.mark.parametrize("compact", [True, False, None])
def test_compact_is_on_off_or_as_the_user_prefers(tmp_path: Path, compact: bool | None) -> None:  # noqa: FBT001 - the value
    Remembered(compact=compact).write(tmp_path)
    assert Remembered.read(tmp_path).compact is compact


def test_compact_of_another_kind_is_left_out(tmp_path: Path) -> None:
    assert Remembered.read(written(tmp_path, '{"compact": "no"}')).compact is None


def test_a_folder_in_the_place_of_the_file_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / STATE / FILE).mkdir(parents=True)
    assert Remembered.read(tmp_path) == Remembered()
