"""Inlay hints stand behind each part, only where the text is the one that was measured."""

from __future__ import annotations

from lsprotocol import types as lsp

from readhead_server.annotations import Annotations
from readhead_server.documents import Document
from readhead_server.hints import inlay_hints
from server.documents_in_tests import annotated, blamed, document, in_head

SOURCE = in_head("return '🙂' + s.first + s.itself")


def hints(opened: Document, notes: Annotations, wanted: lsp.Range | None = None) -> list[tuple[int, int, object]]:
    found = inlay_hints(opened, notes, wanted or opened.lines.whole())
    return [(hint.position.line, hint.position.character, hint.label) for hint in found]


def notes_of(opened: Document) -> Annotations:
    parts = [blamed(opened, "s.itself", 0.0001, ""), blamed(opened, "s.first", 0.25, "")]
    return annotated(opened, blames={"L1H3": parts}, blame_stamp=opened.stamp)


def test_a_hint_stands_behind_its_part_in_the_clients_columns() -> None:
    opened = document(SOURCE)
    end = opened.lines.lines[1].index("s.first") + len("s.first") + 1  # the emoji is two units wide
    assert hints(opened, notes_of(opened)) == [(1, end, "−0.25"), (1, end + len(" + s.itself"), "+0.00")]


def test_several_heads_share_a_hint() -> None:
    opened = document(SOURCE)
    notes = notes_of(opened)
    notes.blames["L0H1"] = [blamed(opened, "s.first", -0.1, "")]
    assert hints(opened, notes)[0][2] == "L1H3 −0.25 L0H1 +0.10"


def test_only_what_is_asked_for_comes() -> None:
    opened = document(SOURCE)
    assert hints(opened, notes_of(opened), lsp.Range(lsp.Position(0, 0), lsp.Position(0, 99))) == []


def test_hints_of_another_text_are_not_shown() -> None:
    opened = document(SOURCE)
    notes = notes_of(opened)
    assert hints(document(SOURCE + "\n"), notes) == []
