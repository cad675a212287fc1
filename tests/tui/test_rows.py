"""One query's row in words and as a text; tokens of any kind change no terminal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from readhead_tui.rows import row_in_text, row_in_words
from readhead_tui.shades import PALETTES

TOKENS = ["<s>", "Once", " upon", " a"]
PATTERN = np.array([[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.02, 0.9, 0.08, 0], [0.25, 0.25, 0.25, 0.25]], np.float32)


def test_a_row_is_told_in_words_with_the_strongest_first() -> None:
    told = row_in_words(TOKENS, 2, PATTERN, None).plain
    assert told.splitlines()[0] == '2 " upon" looks at'
    assert told.splitlines()[1].strip() == 'head: 1 "Once" 0.90, 2 " upon" 0.08'


def test_a_row_with_a_prediction_tells_both_and_how_close_they_are() -> None:
    told = row_in_words(TOKENS, 1, PATTERN, PATTERN).plain
    assert "IoU of this row 1.00" in told
    assert [line.split(":")[0].strip() for line in told.splitlines()[1:]] == ["head", "program"]


def test_a_row_without_weights_says_so() -> None:
    assert "nothing much" in row_in_words(TOKENS, 2, np.zeros((4, 4), np.float32), None).plain


@pytest.mark.parametrize("palette", ["viridis", "none"])
def test_a_text_has_tenths_behind_the_tokens_that_are_looked_at(palette: str) -> None:
    shown = row_in_text(TOKENS, PATTERN[2], 2, PALETTES[palette])
    assert shown.plain == "<s>Once⁹>upon<¹ a"
    coloured = [span for span in shown.spans if getattr(span.style, "bgcolor", None) is not None]
    assert len(coloured) == (2 if palette == "viridis" else 0)


@given(st.lists(st.text(min_size=1, max_size=2), min_size=1, max_size=30), st.integers(0, 29), st.integers(30, 80))
def test_a_text_in_one_line_shows_the_query_and_fits(tokens: list[str], query: int, room: int) -> None:
    query %= len(tokens)
    weights = np.full(len(tokens), 1 / len(tokens), np.float32)
    shown = row_in_text(tokens, weights, query, PALETTES["viridis"], room=room)
    assert ">" in shown.plain
    assert shown.cell_len <= room


@given(st.lists(st.text(max_size=4), min_size=1, max_size=6), st.integers(0, 5))
def test_what_cannot_be_printed_stands_as_its_escape(tokens: list[str], query: int) -> None:
    query %= len(tokens)
    weights = np.full(len(tokens), 1 / len(tokens), np.float32)
    shown = row_in_text(tokens, weights, query, PALETTES["viridis"])
    assert shown.plain.isprintable()
