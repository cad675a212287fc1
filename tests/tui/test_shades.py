"""Colours and characters grow with the numbers that they stand for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readhead_tui.shades import MINUS, PALETTES, RAMP, RGB, Palette, character, painted, two

VALUES = st.floats(allow_nan=False, allow_infinity=False, min_value=-3, max_value=3)


def brightness(colour: RGB) -> float:
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


@pytest.mark.parametrize("palette", PALETTES.values(), ids=PALETTES)
def test_a_palette_goes_from_its_first_colour_to_its_last_and_gets_brighter(palette: Palette) -> None:
    shades = [brightness(palette.shade(place / 50)) for place in range(51)]
    assert palette.shade(0) == palette.low_to_high[0]
    assert palette.shade(1) == palette.low_to_high[-1]
    assert shades == sorted(shades)


@pytest.mark.parametrize("palette", PALETTES.values(), ids=PALETTES)
@given(value=VALUES)
def test_every_number_has_a_colour_and_those_outside_have_that_of_the_end(palette: Palette, value: float) -> None:
    assert all(0 <= each <= 255 for each in palette.shade(value) + palette.shade(value, signed=True))
    assert palette.shade(value) == palette.shade(min(1, max(0, value)))
    assert palette.shade(value, signed=True) == palette.shade(min(1, max(-1, value)), signed=True)


def test_nothing_is_between_minus_and_plus() -> None:
    palette = PALETTES["viridis"]
    assert palette.shade(-1, signed=True) == palette.minus_to_plus[0]
    assert palette.shade(1, signed=True) == palette.minus_to_plus[-1]
    middle, wanted = palette.shade(0, signed=True), palette.minus_to_plus[2]
    assert all(abs(one - other) <= 4 for one, other in zip(middle, wanted, strict=True))


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_text_can_be_read_on_every_colour(colour: RGB) -> None:
    style = painted(colour)
    assert style.color is not None
    assert style.color.triplet is not None
    assert abs(brightness(style.color.triplet) - brightness(colour)) > 100


def test_two_pixels_stand_above_each_other() -> None:
    style = two((1, 2, 3), (4, 5, 6))
    assert style.color is not None
    assert style.bgcolor is not None
    assert (style.color.triplet, style.bgcolor.triplet) == ((1, 2, 3), (4, 5, 6))


@given(VALUES, VALUES)
def test_a_larger_weight_has_no_lighter_character(one: float, other: float) -> None:
    low, high = sorted((abs(one), abs(other)))
    assert RAMP.index(character(low)) <= RAMP.index(character(high))


def test_without_colour_nothing_little_and_all_can_be_told_apart() -> None:
    assert [character(value) for value in (0, 0.02, 0.05, 0.5, 1)] == [" ", " ", "░", "▒", "█"]
    assert character(-1, signed=True) == MINUS[-1]
    assert character(1, signed=True) == RAMP[-1]
    assert len({character(value / 10, signed=True) for value in range(-10, 11)}) > 6
