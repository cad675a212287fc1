"""Each source replaces only its own; what is wrong stands on its place, with what would cure it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from lsprotocol import types as lsp

from readhead_server.diagnostics import (
    RUN,
    SCORE,
    SYNTAX,
    DiagnosticStore,
    run_diagnostics,
    score_diagnostics,
    syntax_diagnostics,
)
from readhead_server.options import ServerOptions
from server.documents_in_tests import annotated, blamed, document, in_head, scored

MISTAKE = {
    "sequence": 2,
    "token": " red",
    "real": " ball",
    "real_weight": 0.9,
    "predicted": ".",
    "predicted_weight": 0.8,
}


def told(message: str, source: str = SYNTAX) -> lsp.Diagnostic:
    place = lsp.Position(0, 0)
    return lsp.Diagnostic(lsp.Range(place, place), message, source=source)


def test_a_source_replaces_only_its_own() -> None:
    store, opened = DiagnosticStore(), document()
    other = replace(opened, uri="file:///other.py")
    assert store.put(opened, SCORE, [told("low", SCORE)])
    assert store.put(opened, SYNTAX, [told("broken")])
    assert store.put(other, SYNTAX, [told("elsewhere")])
    assert [each.message for each in store.all(opened.uri)] == ["broken", "low"]
    assert store.put(opened, SYNTAX, [])
    assert [each.message for each in store.all(opened.uri)] == ["low"]
    store.drop(opened.uri)
    assert store.all(opened.uri) == []
    assert [each.message for each in store.all(other.uri)] == ["elsewhere"]


def test_a_result_id_changes_with_what_is_told_and_with_nothing_else() -> None:
    store, opened = DiagnosticStore(), document()
    empty = store.result_id(opened.uri)
    assert not store.put(opened, RUN, [])
    assert store.result_id(opened.uri) == empty
    store.put(opened, RUN, [told("failed", RUN)])
    known = store.result_id(opened.uri)
    assert known != empty
    assert not store.put(opened, RUN, [told("failed", RUN)])
    assert store.result_id(opened.uri) == known


def test_a_finding_underlines_its_name_in_the_clients_columns() -> None:
    (found,) = syntax_diagnostics(document(in_head("x = '🙂'; return s.key.is_coma + 1")))
    assert found.range == lsp.Range(lsp.Position(1, 27), lsp.Position(1, 34))
    assert (found.source, found.code, found.severity) == (SYNTAX, "RH222", lsp.DiagnosticSeverity.Error)
    assert found.message.endswith("(did you mean s.key.is_comma?)")


def test_a_finding_at_the_end_of_the_text_has_a_place_in_it() -> None:
    for source in ("", "def head(s):\n    return (", "x = '"):
        opened = document(source)
        for found in syntax_diagnostics(opened):
            assert opened.lines.offset(found.range.end) <= len(opened.source)


def failure(**changes: Any) -> dict[str, Any]:
    given = {"kind": "error", "message": "division by zero", "line": 2, "hint": "", "sequence": 4}
    return given | changes


def test_a_failure_stands_on_its_line_with_the_text_that_did_it() -> None:
    opened = document(in_head("return 1 / 0"))
    notes = annotated(opened, scored(opened, coverage=0.75, failures=[failure()]))
    (found,) = run_diagnostics(opened, notes)
    assert found.source == RUN
    assert found.message == "error: division by zero; 8 of 32 texts"
    assert found.range == lsp.Range(lsp.Position(1, 4), lsp.Position(1, 16))
    assert found.related_information is not None
    assert found.related_information[0].message == "dev text 4 did it"
    assert found.related_information[0].location.uri.startswith("readhead://failures/")


def test_a_failure_is_told_once_for_all_heads_and_a_refusal_is_a_finding_already() -> None:
    opened = document(in_head("return 1 / 0"))
    scores = [scored(opened, head, failures=[failure()]) for head in ("L1H3", "L0H1")]
    assert len(run_diagnostics(opened, annotated(opened, *scores))) == 1
    refused = annotated(opened, scored(opened, failures=[failure(kind="refused")]))
    assert run_diagnostics(opened, refused) == []


def test_a_failure_without_a_line_stands_on_head() -> None:
    opened = document("X = 1\n\n\n" + in_head("return 1 / 0"))
    (found,) = run_diagnostics(opened, annotated(opened, scored(opened, failures=[failure(line=None, sequence=None)])))
    assert found.range.start.line == 3
    assert found.related_information is None


@pytest.mark.parametrize(
    ("changes", "severity"),
    [({"iou": 0.39}, lsp.DiagnosticSeverity.Warning), ({"iou": 0.42}, lsp.DiagnosticSeverity.Information), ({}, None)],
)
def test_a_program_that_does_not_earn_its_lines_says_so(
    changes: dict[str, Any], severity: lsp.DiagnosticSeverity | None
) -> None:
    opened = document()
    notes = annotated(opened, scored(opened, mistakes=[MISTAKE], **changes))
    found = score_diagnostics(opened, notes, ServerOptions())
    assert [each.severity for each in found] == ([] if severity is None else [severity])
    for each in found:
        assert (each.source, each.range.start.line) == (SCORE, opened.head_line)
        assert "previous token has 0.400" in each.message
        assert each.related_information is not None
        assert each.related_information[0].message.startswith("at ' red' the head looks at ' ball' (0.90)")


def test_a_program_that_never_ran_has_no_score_to_complain_of() -> None:
    opened = document()
    notes = annotated(opened, scored(opened, iou=0.0, coverage=0.0))
    assert score_diagnostics(opened, notes, ServerOptions()) == []


def test_a_look_ahead_is_told() -> None:
    opened = document()
    notes = annotated(opened, scored(opened, look_ahead="row 3 moves by 0.5"))
    (found,) = score_diagnostics(opened, notes, ServerOptions())
    assert "looks ahead" in found.message


def test_a_part_that_earns_nothing_is_faded_and_carries_the_text_without_it() -> None:
    opened = document()
    parts = [blamed(opened, "6.0 * s.previous(1)", 0.3, "x"), blamed(opened, "3.0 * s.key.is_comma", 0.0, "y")]
    notes = annotated(opened, scored(opened), blames={"L1H3": parts}, blame_stamp=opened.stamp)
    (found,) = score_diagnostics(opened, notes, ServerOptions())
    assert (found.code, found.severity) == ("earns-nothing", lsp.DiagnosticSeverity.Hint)
    assert list(found.tags or []) == [lsp.DiagnosticTag.Unnecessary]
    assert found.message == "earns nothing on L1H3: without it the IoU is +0.000"
    assert found.data == {"head": "L1H3", "without": "y", "loss": 0.0, "stamp": opened.stamp}
    notes.blame_stamp = "another"
    assert score_diagnostics(opened, notes, ServerOptions()) == []
