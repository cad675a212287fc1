"""Edits are small, fit the version that they were made for, and are confirmed where that is wanted."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types as lsp

from readhead_server import edits
from readhead_server.convert import Lines, Units
from readhead_server.documents import Document
from server.wire import PROGRAM

TEXTS = st.lists(st.sampled_from(["a\n", "b", "🙂", "\n", "ab\n", "\r", "1.5 "]), max_size=12).map("".join)
ALL = lsp.ClientCapabilities(
    workspace=lsp.WorkspaceClientCapabilities(
        workspace_edit=lsp.WorkspaceEditClientCapabilities(
            document_changes=True,
            resource_operations=[lsp.ResourceOperationKind.Create],
            change_annotation_support=lsp.ChangeAnnotationsSupportOptions(),
        )
    )
)


def document(source: str = PROGRAM, version: int = 7) -> Document:
    return Document("file:///w/near.py", version, source, Path("/w/near.py"), Path("/w"), Units())


def applied(lines: Lines, changes: list[lsp.TextEdit]) -> str:
    text = lines.text
    for change in reversed(changes):
        start, end = lines.offset(change.range.start), lines.offset(change.range.end)
        text = text[:start] + change.new_text + text[end:]
    return text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
@given(old=TEXTS, new=TEXTS)
def test_the_changes_lead_to_the_new_text_in_all_units(encoding: str, old: str, new: str) -> None:
    lines = Lines(old, Units(encoding))
    assert applied(lines, edits.changes_to(lines, new)) == new


def test_a_moved_constant_is_an_edit_of_its_digits() -> None:
    (change,) = edits.changes_to(document().lines, PROGRAM.replace("-1.5 *", "-2.5 *"))
    assert change.new_text == "2"
    assert change.range.start.line == change.range.end.line


def test_an_edit_names_the_version_where_the_client_knows_versions() -> None:
    (change,) = edits.versioned(document(), "x", ALL, confirm="").document_changes or ()
    assert isinstance(change, lsp.TextDocumentEdit)
    assert change.text_document.version == 7
    plain = edits.versioned(document(), "x", lsp.ClientCapabilities(), confirm="")
    assert plain.document_changes is None
    assert list(plain.changes or {}) == ["file:///w/near.py"]


def test_an_edit_that_wants_confirmation_says_so_in_an_annotation() -> None:
    edit = edits.versioned(document(), "x", ALL, confirm="Take it?")
    (annotation,) = (edit.change_annotations or {}).values()
    assert (annotation.label, annotation.needs_confirmation) == ("Take it?", True)
    (change,) = edit.document_changes or ()
    assert isinstance(change, lsp.TextDocumentEdit)
    assert all(isinstance(each, lsp.AnnotatedTextEdit) for each in change.edits)


def test_a_new_file_never_replaces_one() -> None:
    make, fill = edits.created(Path("/w/L0H0.py"), "text").document_changes or ()
    assert isinstance(make, lsp.CreateFile)
    assert make.options == lsp.CreateFileOptions(overwrite=False, ignore_if_exists=False)
    assert isinstance(fill, lsp.TextDocumentEdit)
    assert fill.edits[0].new_text == "text"
    assert edits.creates(ALL)
    assert not edits.creates(lsp.ClientCapabilities())
