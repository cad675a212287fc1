"""Which files are ours, and what a snapshot of one tells."""

from __future__ import annotations

from pathlib import Path

import pytest
from lsprotocol import types as lsp
from pygls.uris import from_fs_path

from readhead_server.convert import Units
from readhead_server.documents import Document, open_document
from server.documents_in_tests import PROGRAM, document

PLAIN = "def head(s):\n    return 1\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "readhead.toml").write_text("")
    return tmp_path


def opened(path: Path, source: str = PLAIN) -> Document | None:
    return open_document(from_fs_path(str(path)) or "", 3, source, Units())


@pytest.mark.parametrize(
    ("path", "source", "is_ours"),
    [
        ("programs/near.py", PLAIN, True),
        ("programs/deeper/é far.py", PLAIN, True),
        ("near.py", PLAIN, False),
        ("other/near.py", PROGRAM, True),
        ("near.py", PROGRAM.replace("tool.readhead", "tool.other"), False),
        ("programs/near.txt", PROGRAM, False),
        ("programs/near.pyi", PROGRAM, False),
    ],
)
def test_ours_is_what_lies_with_the_programs_or_has_our_metadata(
    root: Path,
    path: str,
    source: str,
    is_ours: bool,  # noqa: FBT001
) -> None:
    found = opened(root / path, source)
    assert (found is not None) == is_ours
    assert found is None or (found.path, found.root, found.version) == (root / path, root, 3)


def test_a_file_without_a_workspace_is_none_of_ours(tmp_path: Path) -> None:
    assert opened(tmp_path / "programs" / "near.py", PROGRAM) is None


@pytest.mark.parametrize("uri", ["untitled:Untitled-1", "readhead://failures/x.md", "git:/x/programs/near.py", ""])
def test_what_is_no_file_is_none_of_ours(uri: str) -> None:
    assert open_document(uri, 1, PROGRAM, Units()) is None


def test_the_programs_folder_is_that_of_the_settings(root: Path) -> None:
    (root / "readhead.toml").write_text('programs = "heads"\n')
    assert opened(root / "heads" / "near.py") is not None
    assert opened(root / "programs" / "near.py") is None


def test_broken_settings_leave_the_usual_folder(root: Path) -> None:
    (root / "readhead.toml").write_text("programs = [")
    assert opened(root / "programs" / "near.py") is not None


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_lines_of_any_ending_are_the_clients_lines(root: Path, newline: str) -> None:
    found = opened(root / "programs" / "near.py", "x = '🙂'\ndef head(s):\n    return s.nope\n".replace("\n", newline))
    assert found is not None
    (finding,) = found.findings
    assert (finding.line, finding.column) == (3, 14)
    assert found.head_line == 1
    assert found.lines.whole().end == lsp.Position(3, 0)


def test_a_snapshot_tells_what_its_text_is() -> None:
    found = document()
    assert (found.name, found.heads, found.findings, found.head_line) == ("near", ["L1H3"], [], 11)
    assert found.stamp != document(PROGRAM + "\n").stamp
    start, end = found.docstring_span or (0, 0)
    assert found.source[start:end] == '"""Look at the last comma."""'
    assert document("x = 1\n").docstring_span is None


def test_findings_of_form_and_policy_come_once_each() -> None:
    assert [finding.code for finding in document("x = (").findings] == ["RH201"]
    assert [finding.code for finding in document("x = 1").findings] == ["RH202"]
    assert [finding.code for finding in document("import os\ndef head():\n    return y\n").findings] == [
        "RH223", "RH203", "RH221",
    ]  # fmt: skip
