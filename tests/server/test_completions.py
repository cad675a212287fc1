"""Completion offers what may stand at a place, and signature help tells what an argument means."""

from __future__ import annotations

from typing import Any

import pytest
from lsprotocol import types as lsp

from readhead.language import VOCABULARY
from readhead.program import CATEGORIES
from readhead_server.completions import completions, signature_help
from server.documents_in_tests import PROGRAM, applied, in_head, pointed

FACTS = {"layers": 2, "heads": 2}
FEATURES = {term.name.removeprefix("s.") for term in VOCABULARY if term.kind == "feature"}


def offered(
    marked: str, facts: dict[str, Any] | None = None, *, snippets: bool = False
) -> dict[str, lsp.CompletionItem]:
    opened, position = pointed(marked)
    return {item.label: item for item in completions(opened, position, facts or FACTS, snippets=snippets)}


def accepted(marked: str, label: str, *, snippets: bool = False) -> str:
    """The text after accepting one."""
    edit = offered(marked, snippets=snippets)[label].text_edit
    assert isinstance(edit, lsp.TextEdit)
    return applied(pointed(marked)[0].source, [edit])


@pytest.mark.parametrize("side", ["key", "query", "word"])
@pytest.mark.parametrize(
    "line", ["return s.{}.‸", "return softmax(6.0 * s.{}.is_c‸", "return s.{}.‸ + 1", "x = '🙂' + s.{} . ‸"]
)
def test_a_side_offers_features_only_in_its_shape(line: str, side: str) -> None:
    found = offered(in_head(line.format(side)))
    assert set(found) == FEATURES
    assert {item.detail for item in found.values()} == {{"key": "[1, n]", "query": "[n, 1]", "word": "[n, n]"}[side]}


def test_a_sentence_offers_sides_relations_values_and_at_the_end_features_for_loops() -> None:
    found = offered(in_head("return s.‸"))
    kinds = {term.name.removeprefix("s."): term.kind for term in VOCABULARY if term.kind != "function"}
    assert set(found) == set(kinds)
    order = sorted(found, key=lambda label: found[label].sort_text or "")
    ranks = [["side", "relation", "value", "feature"].index(kinds[label]) for label in order]
    assert ranks == sorted(ranks)
    assert order[:4] == ["key", "query", "word", "distance"]
    assert found["previous(k)"].kind == lsp.CompletionItemKind.Method
    assert found["distance"].detail == "[n, n]"
    assert isinstance(found["distance"].documentation, lsp.MarkupContent)


def test_the_nearest_of_a_kind_asks_for_a_feature_first() -> None:
    found = offered(in_head("return s.last(s.‸"))
    assert min(found, key=lambda label: found[label].sort_text or "") == "is_one_of(tokens)"


@pytest.mark.parametrize(
    "line",
    ["return x.‸", "return s.key.is_comma.‸", "return s.n.‸", "return f().‸", "return s.nothing.‸", "return x.key.‸",
     "# s.‸", "return 's.‸'", "return 1‸", "return ‸", "x = a.b.s.‸", "x = s.key.x.‸"],
)  # fmt: skip
def test_elsewhere_nothing_is_offered(line: str) -> None:
    assert offered(in_head(line)) == {}


def test_a_name_that_is_begun_may_be_a_function() -> None:
    assert set(offered(in_head("return sof‸"))) == {"softmax(scores)", "normalize(weights)"}


def test_the_code_in_an_f_string_is_code_and_what_stands_behind_a_string_too() -> None:
    assert offered(in_head('x = f"{s.‸}"'))
    assert offered(in_head("x = 'a' + s.‸"))


def test_a_sentence_is_known_by_the_name_that_head_gives_it() -> None:
    assert offered("def head(text):\n    return text.‸\n")
    assert offered("def near(t: Sentence):\n    return t.‸\n\ndef head(s):\n    return near(s)\n")
    assert not offered("def head(text):\n    return s.‸\n")


def test_accepting_replaces_what_is_typed_in_the_clients_columns() -> None:
    assert accepted(in_head("x = '🙂'; return s.key.is_c‸"), "is_comma") == in_head("x = '🙂'; return s.key.is_comma")
    assert accepted(in_head("return s.prev‸"), "previous(k)") == in_head("return s.previous")


def test_arguments_are_snippets_where_the_client_knows_them() -> None:
    assert accepted(in_head("return s.prev‸"), "previous(k)", snippets=True) == in_head("return s.previous(${1:1})")
    text = "def head(t):\n    return t.last‸\n"
    assert "t.last(${1:t.is_name})" in accepted(text, "last(x)", snippets=True)
    for label, item in offered(in_head("return s.‸"), snippets=True).items():
        assert (item.insert_text_format == lsp.InsertTextFormat.Snippet) == ("(" in label)


def test_the_metadata_block_offers_categories() -> None:
    marked = PROGRAM.replace('"boundaries"', '"bo‸"')
    assert list(offered(marked)) == list(CATEGORIES)
    assert 'category = "boundaries"' in accepted(marked, "boundaries")
    assert '# category = "coreference"' in accepted(PROGRAM.replace('"boundaries"', "‸"), "coreference")


def test_the_metadata_block_offers_the_models_heads_that_are_not_listed_yet() -> None:
    marked = PROGRAM.replace('["L1H3"]', '["L1H1", "L‸"]')
    assert list(offered(marked)) == ["L0H0", "L0H1", "L1H0"]
    assert 'heads = ["L1H1", "L0H1"]' in accepted(marked, "L0H1")
    assert 'heads = ["L1H0"]' in accepted(PROGRAM.replace('["L1H3"]', "[‸]"), "L1H0")
    assert offered(marked, {"error": "it has not told yet"}) == {}


def test_the_metadata_block_offers_its_keys() -> None:
    marked = PROGRAM.replace('# category = "boundaries"', "# ca‸")
    assert set(offered(marked)) == {"heads", "category"}
    assert '# category = ""\n' in accepted(marked, "category")


@pytest.mark.parametrize(
    ("line", "label"),
    [
        ("return s.previous(‸", "s.previous(k) → [n, n]"),
        ("return s.previous(‸)", "s.previous(k) → [n, n]"),
        ("return softmax(2 * s.decay(‸", "s.decay(k) → [n, n]"),
        ("return softmax(2 * s.decay(4) + ‸", "softmax(scores) → [n, n]"),
        ("return softmax(\n        (2 + 1) * [‸", "softmax(scores) → [n, n]"),
        ('return s.key.is_one_of({" (", ‸', "s.key.is_one_of(tokens) → [1, n]"),
        ("return s.last(max(‸", "s.last(x) → [n, n]"),
        ("x = '🙂'; return normalize(‸", "normalize(weights) → [n, n]"),
    ],
)
def test_an_open_call_tells_what_its_argument_means(line: str, label: str) -> None:
    found = signature_help(*pointed(in_head(line)))
    assert found is not None
    (signature,) = found.signatures
    assert signature.label == label
    assert signature.parameters is not None
    assert f"({signature.parameters[0].label})" in label


@pytest.mark.parametrize(
    "line",
    ["return s.previous(1)‸", "return max(‸", "return x.previous(‸", "return np.softmax(‸", "return s.distance(‸"],
)
def test_other_calls_tell_nothing(line: str) -> None:
    assert signature_help(*pointed(in_head(line))) is None
