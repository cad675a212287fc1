"""A hover tells what a name means and does on a text, and what is known of the heads; it never waits for long."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

import pytest
from lsprotocol import types as lsp

from readhead.language import VOCABULARY
from readhead_server import hovers
from readhead_server.annotations import Annotations
from readhead_server.examples import BUILT_IN, ExampleText, example
from readhead_server.hovers import subject_at
from readhead_server.names import TERMS, Named, shape_of, with_side
from server.documents_in_tests import PROGRAM, annotated, card, document, impacted, in_head, pointed, scored
from server.engine_in_tests import FakeEngine


def shown(marked: str, annotations: Annotations | None = None, engine: Any = None) -> str:
    opened, position = pointed(marked)
    found = asyncio.run(hovers.hover(opened, annotations or Annotations(), engine or FakeEngine("loading"), position))
    assert found is None or isinstance(found.contents, lsp.MarkupContent)
    return "" if found is None else found.contents.value


@pytest.mark.parametrize(
    ("line", "written", "shape", "meaning"),
    [
        ("return s.prev‸ious(1)", "s.previous(k)", "[n, n]", "The token k places back"),
        ("return s.key.is_‸comma", "s.key.is_comma", "[1, n]", "A comma."),
        ("return s.query.is_comma‸ * 2", "s.query.is_comma", "[n, 1]", "A comma."),
        ("return s.word.‸is_article", "s.word.is_article", "[n, n]", "a, an, the."),
        ("return s.last(s.is‸_name)", "s.is_name", "[n]", "for loops"),
        ("return s.k‸ey.is_comma", "s.key", "[1, n]", "features of the token looked at"),
        ("return soft‸max(s.distance)", "softmax(scores)", "[n, n]", "Row-wise softmax"),
        ("x = '🙂'; return s.key.is_‸comma", "s.key.is_comma", "[1, n]", "A comma."),
        ("return softmax(s.key.is_‸comma + ", "s.key.is_comma", "[1, n]", "A comma."),
    ],
)
def test_a_name_shows_its_meaning_and_its_shape_on_its_side(line: str, written: str, shape: str, meaning: str) -> None:
    text = shown(in_head(line))
    assert text.startswith(f"```python\n{written}  # {shape}\n```")
    assert meaning in text


def test_the_sentence_may_have_any_name() -> None:
    assert shown("def head(text):\n    return text.it‸self\n").startswith("```python\ntext.itself")
    assert shown("from x import y\ndef near(t: Sentence):\n    return t.it‸self\n") != ""


@pytest.mark.parametrize(
    "line",
    ["return other.prev‸ious(1)", "key = s.n; return ke‸y", "return s.nothing‸", "return np.fir‸st",
     "return s.key.dist‸ance", "return f(softmax‸=1)", "# s.prev‸ious", "return 's.prev‸ious'"],
)  # fmt: skip
def test_other_names_show_nothing(line: str) -> None:
    assert shown(in_head(line)) == ""


def test_the_range_of_a_hover_is_the_name_in_the_clients_columns() -> None:
    opened, position = pointed(in_head('x = "🙂"; return s.key.is_‸comma'))
    found = subject_at(opened, position)
    assert found is not None
    line = opened.lines.lines[1]
    begin = line.index("is_comma") + 1  # the emoji is two units wide
    assert found.range == lsp.Range(lsp.Position(1, begin), lsp.Position(1, begin + len("is_comma")))


def test_every_name_has_an_example_in_which_it_holds() -> None:
    for name, term in TERMS.items():
        for side in ("", "key", "query", "word") if term.kind == "feature" else ("",):
            _, lines = example(Named(term, side, 0, 0, '{" red"}' if name == "is_one_of" else ""))
            assert "nowhere" not in lines
            assert lines or term.kind == "side"


def test_a_feature_marks_its_tokens_and_a_relation_those_that_one_query_sees() -> None:
    text = '<s>Lily said, "The red ball is mine."⏎Then she took the red ball.'
    _, lines = example(Named(TERMS["is_comma"], "key", 0, 0))
    assert lines == f"{text}\n{' ' * text.index(',')}^"
    _, lines = example(Named(TERMS["previous"], "", 0, 0, "2"))
    assert lines.splitlines()[0] == "The query is '.' (q)."
    assert lines.splitlines()[2] == " " * text.index("red ball.") + "^^^     q"
    _, lines = example(Named(TERMS["last"], "", 0, 0, "s.is_name"))
    assert lines.splitlines()[2].index("^") == text.index("y said")
    _, lines = example(Named(TERMS["decay"], "", 0, 0, "0.5"))
    assert lines.splitlines()[-2:] == ["ball  0.135", ".     1"]


@pytest.mark.parametrize("argument", ["", "k", "-1", "1.5", "'a'", "(", "10 ** 9", "True", "99999999999999999999"])
@pytest.mark.parametrize("name", ["previous", "decay", "last", "is_one_of", "words_back"])
def test_an_argument_that_cannot_be_shown_is_replaced(name: str, argument: str) -> None:
    assert example(Named(TERMS[name], "", 0, 0, argument))[1]


def test_an_empty_text_gives_way_to_a_built_in_one() -> None:
    assert example(Named(TERMS["is_comma"], "", 0, 0), ExampleText(()))[0] == BUILT_IN[0].title


def test_each_kind_of_term_can_be_written_on_its_side() -> None:
    for term in VOCABULARY:
        assert with_side(term, "") == term.name
        assert shape_of(term, "") == term.shape


def test_the_example_is_the_documents_worst_text_where_the_engine_tells_it() -> None:
    opened, _ = pointed(in_head("return s.key.is_‸comma"))
    notes = annotated(opened, scored(opened, mistakes=[{"sequence": 3}]))
    engine = FakeEngine(pattern={"tokens": ["<s>", "Oh", ",", " well"]})
    text = shown(in_head("return s.key.is_‸comma"), notes, engine)
    assert "dev text 3, on which the program is worst for L1H3" in text
    assert "<s>Oh, well\n     ^" in text
    assert engine.calls == [("pattern", {"head": "L1H3", "sequence": 3})]  # no program runs


def test_an_engine_that_fails_or_takes_long_costs_the_hover_its_text_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hovers, "PATIENCE_S", 0.01)
    opened, _ = pointed(in_head("return s.key.is_‸comma"))
    notes = annotated(opened, scored(opened, mistakes=[{"sequence": 3}]))
    for engine in (FakeEngine(), FakeEngine(pattern=None), FakeEngine("loading")):
        assert "For example" in shown(in_head("return s.key.is_‸comma"), notes, engine)


def test_backticks_in_a_text_do_not_end_its_block() -> None:
    opened, position = pointed(in_head("return s.key.is_‸comma"))
    subject = subject_at(opened, position)
    assert subject is not None
    found = hovers.name_hover(opened, subject, ExampleText(("```", ",")))
    assert found is not None
    assert isinstance(found.contents, lsp.MarkupContent)
    assert "````text" in found.contents.value


def test_the_docstring_shows_a_card_of_each_head() -> None:
    opened = document()
    others = [{"name": "previous_token", "path": "", "iou": 0.7, "terms": 1}]
    known = card(best="previous_token", best_iou=0.7, explanation="Look back.", others=others)
    notes = annotated(opened, scored(opened, rank=3, of=60), impacts={"L1H3": impacted(opened)})
    text = shown(PROGRAM.replace("last comma", "last‸ comma"), notes, FakeEngine(cards=[asdict(known)]))
    for told in ("Category: boundaries", "**L1H3**: IoU 0.620, +0.220 over previous token (0.400); dev, 64 tokens",
                 "without the first token 0.600", "rank 3 of 60", "perplexity +2.5 % [1.5, 3.5]",
                 "Best programs: *Look back.*", "| previous_token | 0.700 | 1 |"):  # fmt: skip
        assert told in text
    assert "stale" not in text


def test_a_card_of_another_text_is_stale_and_of_no_text_tells_the_floor() -> None:
    marked = PROGRAM.replace('["L1H3"]', '["L1‸H3"]')
    opened = document()
    notes = annotated(opened, scored(opened, inactive=True), refused={"L1H3": "it looks ahead"})
    notes.stamp = "another"
    text = shown(marked, notes)
    assert "IoU 0.620 (stale: of an earlier text)" in text
    assert "inactive" in text
    assert "may not stand in for the head: it looks ahead" in text
    text = shown(marked, None, FakeEngine(cards=[asdict(card())]))
    assert "**L1H3**: not measured; the floor is first token (0.310)" in text


def test_a_docstring_without_heads_and_other_metadata_show_nothing() -> None:
    assert shown('"""Do‸c."""\ndef head(s):\n    return 1\n') == ""
    assert shown(PROGRAM.replace("category =", "cat‸egory =")) == ""
