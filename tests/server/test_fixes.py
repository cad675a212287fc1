"""Code actions make small edits of the version that they were made for."""

from __future__ import annotations

import ast

import pytest
from lsprotocol import types as lsp

from readhead.blame import parts_of
from readhead_server.annotations import Annotations
from readhead_server.documents import Document
from readhead_server.fixes import code_actions, with_head
from readhead_server.options import ServerOptions
from server.documents_in_tests import PROGRAM, annotated, applied, blamed, document, in_head, scored


def offered(
    opened: Document, annotations: Annotations | None = None, wanted: lsp.Range | None = None,
    only: list[str] | None = None,
) -> dict[str, lsp.CodeAction]:  # fmt: skip
    wanted = wanted or opened.lines.whole()
    found = code_actions(opened, annotations or Annotations(), ServerOptions(), wanted, only)
    return {action.title: action for action in found}


def edits_of(action: lsp.CodeAction) -> list[lsp.TextEdit]:
    assert action.edit is not None
    assert action.edit.document_changes is not None
    (change,) = action.edit.document_changes
    assert isinstance(change, lsp.TextDocumentEdit)
    assert change.text_document.version == 7
    return [edit for edit in change.edits if isinstance(edit, lsp.TextEdit)]


def after(opened: Document, action: lsp.CodeAction) -> str:
    return applied(opened.source, edits_of(action))


@pytest.mark.parametrize(
    ("line", "title", "mended"),
    [
        ("return s.key.is_coma", "Write is_comma", "return s.key.is_comma"),
        ("x = '🙂é'; return s.key.is_coma + 1", "Write is_comma", "x = '🙂é'; return s.key.is_comma + 1"),
        ("return sofmax(s.first)", "Write softmax", "return softmax(s.first)"),
        ("return softmax(is_comma)", "Write s.is_comma", "return softmax(s.is_comma)"),
        ("return np.wher(s.first > 0, 1, 0)", "Write where", "return np.where(s.first > 0, 1, 0)"),
        ("return [t.lowr() for t in s.tokens]", "Write lower", "return [t.lower() for t in s.tokens]"),
        ("return s.prvious(1)", "Write previous", "return s.previous(1)"),
    ],
)
def test_a_misspelled_name_is_written_as_it_was_meant(line: str, title: str, mended: str) -> None:
    opened = document(in_head(line))
    action = offered(opened)[title]
    assert after(opened, action) == in_head(mended)
    assert action.is_preferred
    assert action.kind == lsp.CodeActionKind.QuickFix
    assert action.diagnostics is not None
    assert action.diagnostics[0].source == "readhead-syntax"


@pytest.mark.parametrize(
    ("line", "mended"),
    [
        ("from numpy.lnalg import norm", "from numpy.linalg import norm"),
        ("import itertool", "import itertools"),
        ("from numpy import wheree", "from numpy import where"),
    ],
)
def test_a_misspelled_module_is_mended_too(line: str, mended: str) -> None:
    opened = document(f"{line}\n\ndef head(s):\n    return 1\n")
    (action,) = offered(opened).values()
    assert after(opened, action) == f"{mended}\n\ndef head(s):\n    return 1\n"


def test_only_findings_in_the_range_are_cured() -> None:
    opened = document("def head(s):\n    x = s.fist\n    return s.ths\n")
    place = lsp.Position(1, 10)
    assert list(offered(opened, wanted=lsp.Range(place, place))) == ["Write first"]


def test_a_clean_program_has_no_actions() -> None:
    assert offered(document()) == {}


@pytest.mark.parametrize(
    "source",
    [
        "",
        '"""Nothing yet."""\n',
        '"""Nothing yet."""\n\n# /// script\n# [tool.readhead]\n# heads = ["L0H1"]\n# ///\n',
        "import math\n\nX = math.pi\n",
        "from readhead.language import Sentence, softmax\n",
        "# a comment\nX = 1",
    ],
)
def test_a_file_without_head_gets_one_that_runs(source: str) -> None:
    opened = document(source)
    mended = after(opened, offered(opened)["Add `def head(s: Sentence):`"])
    assert document(mended).findings == []
    assert document(mended).heads == opened.heads
    assert ast.get_docstring(ast.parse(mended)) == (ast.get_docstring(ast.parse(source)) if source else None)
    assert mended.count("import Sentence") == 1


def test_head_without_a_parameter_gets_its_sentence_and_one_complaint() -> None:
    opened = document("def head():\n    return 1\n")
    assert [finding.code for finding in opened.findings] == ["RH203"]
    mended = after(opened, offered(opened)["Give `head` its sentence"])
    assert document(mended).findings == []
    assert offered(document("def head(a, b):\n    return 1\n")) == {}


def test_unknown_metadata_keys_go_whatever_their_layout() -> None:
    lines = '# category = "boundaries"'
    opened = document(PROGRAM.replace(lines, f'{lines}\n# headss = [\n#   "L0H1",  # one\n# ]\n# colour = "red"'))
    found = offered(opened)
    assert set(found) == {"Remove headss from the metadata", "Remove colour from the metadata"}
    assert "colour" in after(opened, found["Remove headss from the metadata"])
    assert "headss" not in after(opened, found["Remove headss from the metadata"])
    once = document(after(opened, found["Remove headss from the metadata"]))
    assert after(once, offered(once)["Remove colour from the metadata"]) == PROGRAM


@pytest.mark.parametrize(
    ("given", "nearest", "preferred"),
    [("boundary", "boundaries", True), ("Syntax", "syntax", True), ("induction", "sequential and induction", True),
     ("zzz", None, None)],
)  # fmt: skip
def test_an_unknown_category_becomes_the_nearest(given: str, nearest: str | None, preferred: bool | None) -> None:  # noqa: FBT001
    opened = document(PROGRAM.replace('"boundaries"', f'"{given}"'))
    ((title, action),) = offered(opened).items()
    assert title.startswith("Write category ")
    assert action.is_preferred == preferred
    mended = document(after(opened, action))
    assert mended.findings == []
    assert nearest is None or mended.program.metadata.category == nearest


def test_a_head_in_another_spelling_is_respelled_or_removed() -> None:
    opened = document(PROGRAM.replace('["L1H3"]', '["L1H3", "2.5"]'))
    found = offered(opened)
    assert after(opened, found["Write L2H5"]) == PROGRAM.replace('["L1H3"]', '["L1H3", "L2H5"]')
    assert after(opened, found["Remove 2.5 from the heads"]) == PROGRAM
    opened = document(PROGRAM.replace('["L1H3"]', '["L1H3", "all"]'))
    assert list(offered(opened)) == ["Remove all from the heads"]


def test_a_cure_of_the_metadata_is_offered_anywhere_in_it() -> None:
    opened = document(PROGRAM.replace('"boundaries"', '"boundary"'))
    place = lsp.Position(5, 4)
    assert list(offered(opened, wanted=lsp.Range(place, place))) == ["Write category 'boundaries'"]
    elsewhere = lsp.Position(12, 4)
    assert offered(opened, wanted=lsp.Range(elsewhere, elsewhere)) == {}


def test_a_part_that_earns_nothing_is_taken_out_by_a_small_edit_that_tells_what_it_costs() -> None:
    opened = document()
    without = next(part.without for part in parts_of(opened.source) if "is_comma" not in part.without)
    parts = [blamed(opened, "3.0 * s.key.is_comma", -0.002, without)]
    notes = annotated(opened, scored(opened), blames={"L1H3": parts}, blame_stamp=opened.stamp)
    action = offered(opened, notes)["Remove this: L1H3 IoU 0.622 (+0.002)"]
    assert after(opened, action) == without
    (edit,) = edits_of(action)
    assert (edit.range.start.line, edit.range.end.line, edit.new_text) == (14, 15, "")
    assert action.is_preferred
    assert action.diagnostics is not None
    assert action.diagnostics[0].code == "earns-nothing"


def test_a_part_that_another_head_needs_tells_of_it_and_is_not_preferred() -> None:
    opened = document()
    without = opened.source.replace("+ 3.0 * s.key.is_comma", "")
    blames = {head: [blamed(opened, "3.0 * s.key.is_comma", loss, without)] for head, loss in
              (("L1H3", 0.0), ("L0H1", 0.25))}  # fmt: skip
    notes = annotated(opened, scored(opened), scored(opened, "L0H1"), blames=blames, blame_stamp=opened.stamp)
    action = offered(opened, notes)["Remove this: L1H3 IoU 0.620 (+0.000), L0H1 IoU 0.370 (-0.250)"]
    assert not action.is_preferred


def test_blame_of_another_text_removes_nothing() -> None:
    opened = document()
    notes = annotated(opened, scored(opened), blames={"L1H3": [blamed(opened, "s.key", 0.0, "")]}, blame_stamp="other")
    assert offered(opened, notes) == {}


def test_the_best_other_head_can_be_explained_too_or_instead() -> None:
    opened = document(PROGRAM.replace('["L1H3"]', '[\n#   "L1H3",  # by hand\n# ]'))
    notes = annotated(opened, scored(opened), other=scored(opened, "L0H2", iou=0.71))
    found = offered(opened, notes)
    too = document(after(opened, found["Explain L0H2 too (IoU 0.710, +0.310 over previous token)"]))
    assert too.heads == ["L1H3", "L0H2"]
    assert "# by hand" in too.source
    assert document(after(opened, found["Explain L0H2 instead of L1H3"])).heads == ["L0H2"]
    assert all(action.kind == lsp.CodeActionKind.RefactorRewrite for action in found.values())
    notes.stamp = "another"
    assert offered(opened, notes) == {}


def test_what_is_recorded_of_a_head_goes_with_it() -> None:
    recorded = '# category = "boundaries"\n# [tool.readhead.recorded]\n# model = "x"'
    opened = document(PROGRAM.replace('# category = "boundaries"', recorded))
    notes = annotated(opened, scored(opened), other=scored(opened, "L0H2"))
    found = offered(opened, notes)
    assert document(after(opened, found["Explain L0H2 instead of L1H3"])).program.metadata.recorded is None
    (too,) = (action for title, action in found.items() if "too" in title)
    assert document(after(opened, too)).program.metadata.recorded == {"model": "x"}


@pytest.mark.parametrize(
    "source",
    [
        PROGRAM,
        "def head(s):\n    return 1\n",
        '"""Tell."""\ndef head(s):\n    return 1\n',
        "# /// script\n# dependencies = []\n# ///\ndef head(s):\n    return 1\n",
        "# /// script\n# [tool.readhead]\n# ///\ndef head(s):\n    return 1\n",
        '# /// script\n# [tool.readhead]\n# heads = "L0H0"\n# ///\ndef head(s):\n    return 1\n',
    ],
)
def test_a_head_is_added_to_any_metadata(source: str) -> None:
    changed = with_head(document(source), "l0h2")
    assert changed is not None
    assert document(changed).heads == [*document(source).heads, "L0H2"]
    assert with_head(document(changed), "L0H2") is None
    assert with_head(document(source), "all") is None


def test_a_head_is_not_added_to_metadata_that_cannot_be_read() -> None:
    for body in ("# [tool.readhead", "# tool = 3", '# [tool]\n# readhead = ""'):
        assert with_head(document(f"# /// script\n{body}\n# ///\ndef head(s):\n    return 1\n"), "L0H2") is None
    assert with_head(document("def head(s:\n"), "L0H2") is None


def test_only_the_kinds_that_are_asked_for_come() -> None:
    opened = document(in_head("return s.fist"))
    assert offered(opened, only=["quickfix"])
    assert offered(opened, only=[""])
    assert offered(opened, only=["refactor", "source.organizeImports"]) == {}
    opened = document()
    notes = annotated(opened, scored(opened), other=scored(opened, "L0H2"))
    assert offered(opened, notes, only=["refactor"])
