"""Tokens become pixels: all of them are there, in order, and the strongest value of a block stays."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from readhead.patterns import Array
from readhead_tui.heat_map import Scale, rasterize

SIDES = st.integers(1, 300)
SQUARES = st.integers(1, 24).flatmap(
    lambda side: arrays.arrays(np.float32, (side, side), elements=st.floats(-1, 1, width=32))
)


@given(SIDES, SIDES)
def test_a_side_fits_its_room_and_has_a_place_for_every_token(tokens: int, room: int) -> None:
    scale = Scale.fitting(tokens, room)
    pixels = [scale.pixel(token) for token in range(tokens)]
    assert pixels == sorted(pixels)
    assert pixels[-1] + scale.size <= room
    assert len(scale.starts(tokens)) * scale.size == pixels[-1] + scale.size


@given(SIDES, SIDES)
def test_a_pixel_leads_back_to_the_first_token_that_it_shows(tokens: int, room: int) -> None:
    scale = Scale.fitting(tokens, room)
    for token in range(tokens):
        back = scale.token(scale.pixel(token))
        assert back <= token
        assert scale.pixel(back) == scale.pixel(token)
        assert back in scale.starts(tokens)


@given(SIDES, SIDES)
def test_more_room_never_shows_less(tokens: int, room: int) -> None:
    small, large = Scale.fitting(tokens, room), Scale.fitting(tokens, room + 1)
    assert (small.block, -small.size) >= (large.block, -large.size)


@given(SQUARES, st.integers(1, 60), st.integers(1, 60))
def test_the_strongest_value_of_a_block_is_kept_with_its_sign(matrix: Array, down: int, across: int) -> None:
    rows, columns = Scale.fitting(len(matrix), down), Scale.fitting(len(matrix), across)
    before = matrix.copy()
    drawn = rasterize(matrix, rows, columns)
    assert (matrix == before).all(), "what is drawn is not written to"
    for query in range(len(matrix)):
        for key in range(query + 1):
            pixel = drawn[rows.pixel(query), columns.pixel(key)]
            assert abs(pixel) >= abs(matrix[query, key])
            assert pixel in matrix


@given(st.integers(1, 40), st.integers(1, 60))
def test_where_no_key_can_be_seen_there_is_nothing(tokens: int, room: int) -> None:
    scale = Scale.fitting(tokens, room)
    drawn = rasterize(np.ones((tokens, tokens), np.float32), scale, scale)
    for row, values in enumerate(drawn.tolist()):
        for column, value in enumerate(values):
            last_query = scale.token(row) + scale.block - 1
            assert math.isnan(value) == (scale.token(column) > last_query)


def test_a_few_tokens_are_drawn_large_and_many_are_put_together() -> None:
    assert Scale.fitting(4, 100) == Scale(1, 4)
    assert Scale.fitting(64, 20) == Scale(4, 1)
    drawn = rasterize(np.array([[1, 0], [0.5, 0.25]], np.float32), Scale(1, 2), Scale(1, 1))
    assert np.nan_to_num(drawn, nan=-1).tolist() == [[1, -1], [1, -1], [0.5, 0.25], [0.5, 0.25]]


def test_no_room_is_no_mistake() -> None:
    scale = Scale.fitting(10, -1)
    assert rasterize(np.ones((10, 10), np.float32), scale, scale).shape == (1, 1)
