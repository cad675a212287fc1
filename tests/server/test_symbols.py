"""An outline names what a program file consists of; what has several lines folds."""

from __future__ import annotations

import pytest
from lsprotocol import types as lsp

from readhead_server.symbols import document_symbols, folding_ranges
from server.documents_in_tests import PROGRAM, document

LONG = '''"""Look at names.

And tell more.
"""

# /// script
# [tool.readhead]
# heads = ["L1H3", "L0H1"]
# ///

from readhead.language import Sentence, softmax

NAMES = {
    " Tom",
    " Ann",
}
K: float = 3.0


def near(s: Sentence, k):
    if k:
        return s.previous(k)
    return s.itself


def head(s: Sentence):
    return softmax(NAMES)
'''


def test_an_outline_names_metadata_constants_helpers_and_head() -> None:
    found = document_symbols(document(LONG))
    kinds = lsp.SymbolKind
    assert [(symbol.name, symbol.kind, symbol.detail) for symbol in found] == [
        ("metadata", kinds.Namespace, "L1H3, L0H1, mixed"),
        ("NAMES", kinds.Constant, ""),
        ("K", kinds.Constant, ""),
        ("near", kinds.Function, "(s: Sentence, k)"),
        ("head", kinds.Function, "Look at names."),
    ]


def test_a_symbols_name_lies_within_its_range_as_clients_demand() -> None:
    for source in (LONG, PROGRAM, "é = '🙂'; ö = 3\ndef head(s): return 1"):
        lines = document(source).lines
        for symbol in document_symbols(document(source)):
            outer, inner = symbol.range, symbol.selection_range
            assert lines.offset(outer.start) <= lines.offset(inner.start) <= lines.offset(inner.end)
            assert lines.offset(inner.end) <= lines.offset(outer.end)


def test_docstring_metadata_functions_and_long_statements_fold() -> None:
    found = [(fold.start_line, fold.end_line, fold.kind) for fold in folding_ranges(document(LONG))]
    comment, region = lsp.FoldingRangeKind.Comment, lsp.FoldingRangeKind.Region
    assert found == [(0, 3, comment), (5, 8, comment), (12, 15, region), (19, 22, region), (20, 21, region),
                     (25, 26, region)]  # fmt: skip


@pytest.mark.parametrize("source", ["", "def", "def head(s", "x = (", "# /// script\n# ///", '"""', "\n\n\n"])
def test_broken_text_has_an_outline_all_the_same(source: str) -> None:
    assert [symbol.name for symbol in document_symbols(document(source))] in ([], ["metadata"])
    folding_ranges(document(source))
