"""Places survive the way to the client and back, whatever the client counts and whatever stands before them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types as lsp

from readhead_server.convert import Lines, Units

ENCODINGS = ["utf-8", "utf-16", "utf-32"]
TEXTS = st.text(st.sampled_from("ab é🙂\U0001f469‍ \t\n\x0c\u2028"), max_size=40)
LINES = st.builds(lambda text, encoding: Lines(text, Units(encoding)), TEXTS, st.sampled_from(ENCODINGS))
ANY = st.integers(min_value=0, max_value=2**31 - 1) | st.integers(min_value=0, max_value=60)


@given(LINES, st.data())
def test_every_place_comes_back(lines: Lines, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(lines.text)))
    position = lines.position(*lines.at(offset))
    assert lines.offset(position) == offset
    assert lines.place(position) == lines.at(offset)


@given(LINES, st.data())
def test_a_place_in_bytes_is_the_same_place(lines: Lines, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(lines.text)))
    assert lines.of_bytes(len(lines.text[:offset].encode())) == lines.at(offset)


@given(LINES, ANY, ANY)
def test_any_position_of_a_client_is_a_place_in_the_text_at_or_before_it(lines: Lines, line: int, units: int) -> None:
    given_position = lsp.Position(line, units)
    row, column = lines.place(given_position)
    assert 0 <= row < len(lines.lines)
    assert 0 <= column <= len(lines.lines[row])
    assert lines.units.width(lines.lines[row][:column]) <= units
    back = lines.position(row, column)
    assert lines.place(back) == (row, column)
    assert 0 <= lines.offset(given_position) <= len(lines.text)


@given(LINES, st.integers(-3, 60), st.integers(-3, 60))
def test_any_place_of_ours_is_a_position_in_the_text(lines: Lines, row: int, column: int) -> None:
    position = lines.position(row, column)
    assert 0 <= position.line < len(lines.lines)
    assert 0 <= position.character <= lines.units.width(lines.lines[position.line])


@given(LINES, st.integers(-3, 60))
def test_the_range_of_a_line_begins_before_it_ends(lines: Lines, row: int) -> None:
    found = lines.line_range(row)
    assert found.start.line == found.end.line
    assert found.start.character <= found.end.character


@pytest.mark.parametrize(("encoding", "width"), [("utf-8", 4), ("utf-16", 2), ("utf-32", 1)])
def test_an_emoji_is_as_wide_as_the_client_counts_it(encoding: str, width: int) -> None:
    lines = Lines("a🙂b", Units(encoding))
    assert lines.position(0, 2) == lsp.Position(0, 1 + width)
    assert [lines.place(lsp.Position(0, unit))[1] for unit in range(1 + width + 1)] == [0, *[1] * width, 2]


def test_the_whole_text_ends_behind_its_last_character() -> None:
    assert Lines("ab\n🙂", Units()).whole() == lsp.Range(lsp.Position(0, 0), lsp.Position(1, 2))
    assert Lines("", Units()).whole() == lsp.Range(lsp.Position(0, 0), lsp.Position(0, 0))
