"""A figure with its interval as a line of text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from readhead_tui.plots import span, whisker

VALUE = st.floats(-1e6, 1e6)


def test_a_span_holds_zero_and_leaves_out_what_is_not_known() -> None:
    assert span([]) == (0.0, 0.0)
    assert span([3.0, None, -1.0]) == (-1.0, 3.0)
    assert span([2.0, 3.0]) == (0.0, 3.0)


def test_a_whisker_draws_zero_interval_and_figure() -> None:
    assert whisker(5, 3, 7, (0, 10), 11) == "│  ├─●─┤   "
    assert whisker(-5, None, None, (-10, 10), 11, dot="○") == "  ○  │     "
    assert whisker(0, 0, 0, (0, 0), 4) == "●   "


@given(st.tuples(VALUE, VALUE, VALUE).map(sorted), st.integers(1, 60))
def test_a_whisker_has_its_width_and_its_dot_in_any_scale(values: list[float], width: int) -> None:
    low, value, high = values
    drawn = whisker(value, low, high, span(values), width)
    assert len(drawn) == width
    assert drawn.count("●") == 1
