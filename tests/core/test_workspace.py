"""A workspace keeps scores by what they depend on, for several processes at once, through full disks and kills."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import readhead
from readhead.errors import StoreError, UsageError
from readhead.patterns import write_beside
from readhead.settings import Settings, find_root, read_settings
from readhead.workspace import ScoreKey, StoredScore, Workspace

KEY = ScoreKey("program", "model", "corpus", "dev")
SCORE = StoredScore(np.array([0.25, 0.5], np.float32), 1, ({"kind": "error", "message": "é"},))


def test_scores_come_back_as_they_were_stored(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as opened:
        opened.store_scores({KEY: SCORE})
    with Workspace.open(tmp_path) as opened:
        found = opened.stored_scores([KEY, ScoreKey("other", "model", "corpus", "dev")])
    assert list(found) == [KEY]
    assert found[KEY].iou.tolist() == [0.25, 0.5]
    assert (found[KEY].failed, found[KEY].failures) == (1, SCORE.failures)


@pytest.mark.parametrize("field", ["program", "model", "corpus", "part"])
def test_a_score_is_found_by_all_that_it_depends_on(tmp_path: Path, field: str) -> None:
    with Workspace.open(tmp_path) as opened:
        opened.store_scores({KEY: SCORE})
        assert opened.stored_scores([ScoreKey(**{**vars(KEY), field: "other"})]) == {}


def test_figures_of_single_heads_come_back_as_they_were_stored(tmp_path: Path) -> None:
    figures = {"iou": 0.1 + 0.2, "failures": [], "iou_without_first": None}
    with Workspace.open(tmp_path) as opened:
        opened.store_figures({(KEY, "L0H1"): figures})
        assert opened.stored_figures([(KEY, "L0H1"), (KEY, "L0H0")]) == {(KEY, "L0H1"): figures}


def test_assignments_replace_those_before(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as opened:
        opened.store_assignments("model", "corpus", {"L0H0": ("a", 0.5), "L0H1": ("b", 0.25)})
        opened.store_assignments("model", "other", {"L0H0": ("c", 0.5)})
        opened.store_assignments("model", "corpus", {"L0H0": ("d", 0.75)})
        assert opened.assignments("model", "corpus") == {"L0H0": ("d", 0.75)}
        assert opened.assignments("model", "other") == {"L0H0": ("c", 0.5)}


def test_a_failed_save_keeps_what_was_saved_and_the_workspace_usable(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as opened:
        opened.store_assignments("model", "corpus", {"L0H0": ("a", 0.5)})
        with pytest.raises(StoreError):
            opened.store_assignments("model", "corpus", {"L0H0": (object(), 0.5)})  # type: ignore[dict-item]
        assert opened.assignments("model", "corpus") == {"L0H0": ("a", 0.5)}
        opened.store_assignments("model", "corpus", {"L0H0": ("b", 0.5)})


def test_a_full_disk_loses_nothing_that_was_saved(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as opened:
        opened.store_scores({KEY: SCORE})
        pages = opened._database.execute("PRAGMA page_count").fetchone()[0]
        opened._database.execute(f"PRAGMA max_page_count = {pages}")  # SQLite then says what it says of a full disk
        many = {ScoreKey(str(number), "model", "corpus", "dev"): SCORE for number in range(5_000)}
        with pytest.raises(StoreError, match=r"disk is full") as caught:
            opened.store_scores(many)
        assert str(tmp_path) in str(caught.value)
        assert "disk" in caught.value.hint
        assert list(opened.stored_scores([KEY, *many])) == [KEY]
        opened._database.execute("PRAGMA max_page_count = 100000")
        opened.store_scores(many)
        assert len(opened.stored_scores([*many])) == 5_000


def test_several_processes_open_a_new_workspace_at_once_and_write(tmp_path: Path) -> None:
    code = (
        "import sys; from readhead.workspace import Workspace; print('ready', flush=True); sys.stdin.readline()\n"
        "for turn in range(5):\n"
        "    with Workspace.open(sys.argv[1]) as opened:\n"
        "        opened.store_assignments(sys.argv[2], 'corpus', {'L0H0': (str(turn), 0.5)})\n"
    )
    root = str(Path(readhead.__file__).parents[1])
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PYTHONPATH": root},
        )
        for number in range(3)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
    for writer in writers:
        with writer:
            writer.communicate(b"go\n", timeout=60)
        assert writer.returncode == 0
    with Workspace.open(tmp_path) as opened:
        assert [opened.assignments(str(number), "corpus") for number in range(3)] == [{"L0H0": ("4", 0.5)}] * 3


def test_a_temporary_workspace_leaves_nothing_behind() -> None:
    with Workspace.temporary() as opened:
        root = opened.root
        assert opened.state.is_dir()
    assert not root.exists()


def test_the_workspace_is_found_upwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    (tmp_path / "readhead.toml").write_text("length = 20\n")
    assert find_root(inside) == tmp_path
    monkeypatch.chdir(inside)
    with Workspace.open() as opened:
        assert (opened.root, opened.settings.length) == (tmp_path.resolve(), 20)
        assert opened.programs == tmp_path.resolve() / "programs"


def test_without_a_workspace_a_temporary_one_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Workspace.open() as opened:
        assert opened.settings == Settings()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("lenght = 20", "unknown key 'lenght'"),
        ('length = "20"', "length is not a whole number"),
        ("length = true", "length is not a whole number"),
        ("length = 2.5", "length is not a whole number"),
        ("model = 3", "model is not a string"),
        ("[model]\nname = 3", "model is not a string"),
        ("allow_reduced_isolation = 1", "allow_reduced_isolation is not true or false"),
        ("length = 1", "length = 1 is too small"),
        ("dev = 0", "dev = 0 is too small"),
        ("length = ", "is not TOML"),
    ],
)
def test_broken_settings_are_told_with_the_file_the_key_and_the_cure(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "readhead.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_settings(path)
    assert what in str(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.hint


def test_settings_that_are_no_text_are_told(tmp_path: Path) -> None:
    path = tmp_path / "readhead.toml"
    path.write_bytes(b'model = "\xe9"')
    with pytest.raises(UsageError, match=r"readhead\.toml cannot be read"):
        read_settings(path)


def test_a_damaged_database_is_told_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / ".readhead").mkdir()
    (tmp_path / ".readhead" / "readhead.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match=r"not a database") as caught:
        Workspace.open(tmp_path)
    assert "remove" in caught.value.hint


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    with Workspace.open(tmp_path):
        pass
    with sqlite3.connect(tmp_path / ".readhead" / "readhead.sqlite") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StoreError, match="newer Readhead"):
        Workspace.open(tmp_path)


def test_a_file_is_replaced_whole_with_its_rights_and_through_links(tmp_path: Path) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    write_beside(path, "one\r\n")
    assert path.read_bytes() == b"one\r\n"
    path.chmod(0o640)
    link.symlink_to(path)
    write_beside(link, "two")
    assert (path.read_text(), link.is_symlink(), path.stat().st_mode & 0o777) == ("two", True, 0o640)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["file", "link"]


def test_a_file_that_cannot_be_replaced_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_text("one")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreError, match="No space left on device"):
        write_beside(path, "two")
    assert path.read_text() == "one"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]
