"""Changed program files are seen: new ones, other ones, gone ones."""

from __future__ import annotations

import os
from pathlib import Path

from readhead_tui.watch import changed, stamps_of


def test_no_folder_has_no_files(tmp_path: Path) -> None:
    assert stamps_of(tmp_path / "nowhere") == {}


def test_programs_below_a_folder_are_seen_and_other_files_are_not(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("one.py", "deep/two.py", "notes.txt", ".one.py.swp"):
        (tmp_path / name).write_text("", "utf-8")
    assert set(stamps_of(tmp_path)) == {str(tmp_path / "one.py"), str(tmp_path / "deep" / "two.py")}


def test_new_other_and_gone_files_are_changes_and_the_rest_is_none(tmp_path: Path) -> None:
    same, other, gone, new = (tmp_path / f"{name}.py" for name in ("same", "other", "gone", "new"))
    for path in (same, other, gone):
        path.write_text("one", "utf-8")
    before = stamps_of(tmp_path)
    assert changed(before, stamps_of(tmp_path)) == set()
    other.write_text("another", "utf-8")
    gone.unlink()
    new.write_text("", "utf-8")
    assert changed(before, stamps_of(tmp_path)) == {str(other), str(gone), str(new)}


def test_a_text_of_the_same_size_is_seen_by_its_time(tmp_path: Path) -> None:
    path = tmp_path / "one.py"
    path.write_text("one", "utf-8")
    before = stamps_of(tmp_path)
    path.write_text("two", "utf-8")
    os.utime(path, ns=(0, 0))
    assert changed(before, stamps_of(tmp_path)) == {str(path)}


def test_a_link_to_nowhere_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "one.py").symlink_to(tmp_path / "nowhere.py")
    assert stamps_of(tmp_path) == {}
