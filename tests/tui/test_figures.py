"""Figures in words: with units, with their interval or why there is none, and stale ones never as current."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readhead_tui import figures
from tui.known_in_tests import impact_of


@pytest.mark.parametrize(
    ("value", "told"),
    [(5, "+5.0 %"), (-0.34, "-0.3 %"), (0.0, "+0.0 %"), (-0.0, "+0.0 %"), (1234.5, "+1234 %"), (999.96, "+1000.0 %")],
)
def test_percents_have_a_sign_and_digits_that_mean_something(value: float, told: str) -> None:
    assert figures.percent(value) == told


@pytest.mark.parametrize(("value", "told"), [(9.0, "9.00"), (123.456, "123.46"), (123456.0, "1.23e+05")])
def test_a_perplexity_has_digits_that_mean_something(value: float, told: str) -> None:
    assert figures.perplexity(value) == told


def test_an_estimate_without_an_interval_is_preliminary() -> None:
    assert figures.interval(impact_of(low=None, high=None, sequences=4)) == "preliminary, 4 texts"
    assert figures.interval(impact_of(5, 3, 7)) == "[+3.0, +7.0]"


def test_the_line_tells_both_perplexities_change_interval_heads_part_and_texts() -> None:
    told = figures.line(impact_of(), 1, 32)
    assert told == "perplexity 10.00 → 10.50  +5.0 % [+3.0, +7.0]  ·  1 of 32 heads  ·  dev, 32 texts"


def test_without_a_program_there_is_one_perplexity() -> None:
    assert figures.line(impact_of(0, 0, 0), 0, 32) == "perplexity 10.00  ·  all heads neural  ·  dev, 32 texts"


def test_the_line_says_when_there_is_no_figure_and_why() -> None:
    assert figures.line(None, 2, 32) == "perplexity …  ·  2 of 32 heads"
    told = figures.line(None, 2, 32, problem="the model has no head for it")
    assert told.startswith("perplexity not measured: the model has no head for it")
    later = figures.line(impact_of(), 2, 32, problem="a control failed")
    assert later == figures.line(impact_of(), 2, 32), "what was measured stays"


def test_a_stale_figure_is_never_told_as_current() -> None:
    assert figures.line(impact_of(), 1, 32, stale=True).startswith("stale: ")


@given(st.floats(-100, 1e12))
def test_no_figure_is_told_at_length(value: float) -> None:
    assert len(figures.percent(value)) <= 18
    assert "-0.0" not in figures.percent(0.0 * value)
