"""Scores agree with what one would write down for dense matrices, in float64, term by term."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readhead.patterns import pack, packed_size, row_starts, row_sums, unpack
from readhead.scoring import (
    TRIVIAL,
    as_pattern,
    first_token_mass,
    iou,
    iou_of_overlap,
    iou_without_first,
    jensen_shannon_distance,
    overlaps,
    rows_without_rest,
    trivial_patterns,
    worst_rows,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Array = npt.NDArray[np.float32]

several = settings(max_examples=40, deadline=None)


@st.composite
def patterns(draw: st.DrawFn, count: int = 1) -> tuple[int, list[Array]]:
    """A length, and packed patterns of that length: from sharp to even, some rows on one key."""
    length = draw(st.integers(1, 24))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    found = []
    for _ in range(count):
        weights = np.exp(draw(st.sampled_from((0.1, 1.0, 8.0))) * rng.standard_normal((length, length)))
        weights *= rng.random((length, length)) < draw(st.sampled_from((0.2, 1.0)))
        found.append(as_pattern(weights.astype(np.float32)))
    return length, found


def dense(packed: Array, length: int) -> npt.NDArray[np.float64]:
    return unpack(packed, length).astype(np.float64)


def brute_iou(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    smaller = larger = 0.0
    for x, y in zip(a.flat, b.flat, strict=True):
        smaller += min(x, y)
        larger += max(x, y)
    return smaller / larger


def frozen(array: Array) -> Array:
    array = array.copy()
    array.setflags(write=False)
    return array


# ---- IoU -------------------------------------------------------------------------------------------------------------


@several
@given(patterns(count=2))
def test_iou_is_that_of_the_dense_matrices(drawn: tuple[int, list[Array]]) -> None:
    length, (a, b) = drawn
    assert iou(a, b) == pytest.approx(brute_iou(dense(a, length), dense(b, length)), abs=1e-6)


@several
@given(patterns(count=2))
def test_iou_is_symmetric_and_one_for_a_pattern_itself(drawn: tuple[int, list[Array]]) -> None:
    length, (a, b) = drawn
    assert iou(a, b) == iou(b, a)
    assert iou(a, a) == 1.0
    assert iou_without_first(a, b, length) == iou_without_first(b, a, length)


def test_iou_of_two_empty_arrays_is_one() -> None:
    empty = np.zeros(6, np.float32)
    assert iou(empty, empty) == 1.0


@several
@given(patterns(count=5))
def test_overlaps_hold_the_iou_of_every_pair(drawn: tuple[int, list[Array]]) -> None:
    length, found = drawn
    predictions, heads = np.stack(found[:3]), np.stack(found[3:])
    ious = iou_of_overlap(overlaps(predictions, heads), length)
    expected = [[brute_iou(dense(p, length), dense(h, length)) for h in heads] for p in predictions]
    assert ious.shape == (3, 2)
    assert ious == pytest.approx(np.array(expected), abs=1e-6)


def test_overlaps_are_the_same_however_many_programs_share_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    found = np.stack([as_pattern(rng.random((10, 10), np.float32)) for _ in range(13)])
    whole = overlaps(found, found)
    monkeypatch.setattr("readhead.scoring._BLOCK", 4 * packed_size(10))  # 13 programs: three blocks and a rest
    assert (overlaps(found, found) == whole).all()
    monkeypatch.setattr("readhead.scoring._BLOCK", 1)
    assert (overlaps(found, found) == whole).all()


def test_identity_of_iou_and_overlap_fails_for_matrices_whose_rows_do_not_sum_to_one() -> None:
    length = 3
    a = pack(np.tril(np.full((length, length), 0.2, np.float32)))
    b = pack(np.tril(np.full((length, length), 0.1, np.float32)))
    by_identity = iou_of_overlap(overlaps(a[None], b[None]), length)[0, 0]
    assert iou(a, b) == pytest.approx(0.5)
    assert by_identity == pytest.approx(0.6 / 5.4)


# ---- without the first column ----------------------------------------------------------------------------------------


@several
@given(patterns(count=2))
def test_iou_without_first_is_that_of_the_dense_matrices_without_column_0(drawn: tuple[int, list[Array]]) -> None:
    length, (a, b) = drawn
    rest_a, rest_b = dense(a, length)[:, 1:], dense(b, length)[:, 1:]
    found = iou_without_first(a, b, length)
    if not (rest_a.any() or rest_b.any()):
        assert found is None
    else:
        assert found == pytest.approx(brute_iou(rest_a, rest_b), abs=1e-6)


@several
@given(patterns(count=2))
def test_rows_without_rest_are_those_where_nothing_is_left_of_both(drawn: tuple[int, list[Array]]) -> None:
    length, (a, b) = drawn
    rest = dense(a, length)[1:, 1:] + dense(b, length)[1:, 1:]
    assert rows_without_rest(a, b, length) == int((rest.sum(axis=1) == 0).sum())


def test_iou_without_first_is_none_where_both_look_at_the_first_token_only() -> None:
    first = trivial_patterns(4)[TRIVIAL.index("first token")]
    assert iou_without_first(first, first, 4) is None
    assert rows_without_rest(first, first, 4) == 3


def test_row_with_the_smallest_rest_is_no_row_without_rest() -> None:
    nearly = as_pattern(np.array([[1, 0], [1, 1e-9]], np.float32))
    assert rows_without_rest(nearly, nearly, 2) == 0
    assert iou_without_first(nearly, nearly, 2) == 1.0


# ---- Jensen-Shannon --------------------------------------------------------------------------------------------------


def brute_distance(p: npt.NDArray[np.float64], q: npt.NDArray[np.float64]) -> float:
    """The entropy of the mean minus the mean of the entropies."""

    def entropy(row: npt.NDArray[np.float64]) -> float:
        return -sum((float(x) * math.log2(x) for x in row if x > 0), 0.0)

    distances = []
    for a, b in zip(p, q, strict=True):
        divergence = entropy((a + b) / 2) - (entropy(a) + entropy(b)) / 2
        distances.append(math.sqrt(max(divergence, 0.0)))
    return sum(distances) / len(distances)


@several
@given(patterns(count=2))
def test_jensen_shannon_distance_is_that_of_the_entropies(drawn: tuple[int, list[Array]]) -> None:
    length, (a, b) = drawn
    distance = jensen_shannon_distance(a, b, length)
    assert distance == pytest.approx(brute_distance(dense(a, length), dense(b, length)), abs=1e-6)
    assert 0 <= distance <= 1
    assert jensen_shannon_distance(b, a, length) == pytest.approx(distance)
    assert jensen_shannon_distance(a, a, length) == 0


def test_jensen_shannon_distance_of_disjoint_rows_is_one() -> None:
    first, _, itself, _ = trivial_patterns(5)
    assert jensen_shannon_distance(first, itself, 5) == pytest.approx(4 / 5)  # row 0 has one key: both look at it
    apart = np.array([1, 1, 0], np.float32), np.array([1, 0, 1], np.float32)
    assert jensen_shannon_distance(*apart, 2) == pytest.approx(1 / 2)


# ---- raw weights to predictions --------------------------------------------------------------------------------------


@several
@given(
    length=st.integers(1, 12),
    data=st.data(),
)
def test_prediction_is_a_pattern_whatever_the_weights(length: int, data: st.DataObject) -> None:
    numbers = st.floats(width=32) | st.sampled_from((0.0, -1.0, math.nan, math.inf, -math.inf, 1e-45, 3e38))
    cells = data.draw(st.lists(numbers, min_size=length**2, max_size=length**2))
    packed = as_pattern(np.array(cells, np.float32).reshape(length, length))
    assert packed.dtype == np.float32
    assert packed.shape == (packed_size(length),)
    assert np.isfinite(packed).all()
    assert packed.min() >= 0
    assert row_sums(packed, length) == pytest.approx(np.ones(length), abs=1e-6)
    assert not np.triu(unpack(packed, length), 1).any()


def test_prediction_of_odd_weights_is_as_the_harness_promises() -> None:
    nan, inf = math.nan, math.inf
    weights = np.array(
        [
            [0.0, 9.0, 9.0, 9.0],  # empty but for later keys: the first token
            [nan, 2.0, 9.0, nan],  # NaN counts as 0
            [-5.0, 1.0, 3.0, inf],  # so does a negative weight
            [inf, 1.0, -inf, inf],  # an infinite weight is larger than any finite one
        ],
        np.float32,
    )
    expected = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0.25, 0.75, 0], [0.5, 0, 0, 0.5]]
    assert unpack(as_pattern(weights), 4) == pytest.approx(np.array(expected))


def test_trivial_patterns_of_three_tokens_are_as_written_by_hand() -> None:
    expected = {
        "first token": [[1, 0, 0], [1, 0, 0], [1, 0, 0]],
        "previous token": [[1, 0, 0], [1, 0, 0], [0, 1, 0]],
        "self": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        "uniform": [[1, 0, 0], [1 / 2, 1 / 2, 0], [1 / 3, 1 / 3, 1 / 3]],
    }
    assert tuple(expected) == TRIVIAL
    assert unpack(trivial_patterns(3), 3) == pytest.approx(np.array(list(expected.values())))


# ---- packing ---------------------------------------------------------------------------------------------------------


@several
@given(length=st.integers(1, 12), heads=st.integers(0, 3))
def test_packing_keeps_the_lower_triangle_and_unpacking_brings_it_back(length: int, heads: int) -> None:
    full = np.random.default_rng(length).random((heads, length, length), np.float32)
    packed = pack(full)
    assert packed.shape == (heads, packed_size(length))
    assert (unpack(packed, length) == np.tril(full)).all()
    assert (pack(unpack(packed, length)) == packed).all()


@several
@given(patterns())
def test_row_starts_cut_a_packed_pattern_into_its_rows(drawn: tuple[int, list[Array]]) -> None:
    length, (packed,) = drawn
    rows = [packed[start:end] for start, end in pairwise((*row_starts(length), len(packed)))]
    full = unpack(packed, length)
    assert all((row == full[query, : query + 1]).all() for query, row in enumerate(rows))
    assert row_sums(packed, length) == pytest.approx([row.sum() for row in rows])
    assert first_token_mass(packed, length) == pytest.approx(full[:, 0].mean())


# ---- mistakes --------------------------------------------------------------------------------------------------------


def test_worst_rows_are_those_that_share_least_and_say_what_was_looked_at() -> None:
    pattern = pack(
        np.array([[1, 0, 0, 0], [0.2, 0.8, 0, 0], [0.1, 0.2, 0.7, 0], [0, 0, 0.5, 0.5]], np.float32)
    )  # row 0 shares nothing with the prediction below, and is left out all the same
    prediction = pack(np.array([[0, 0, 0, 0], [0.2, 0.8, 0, 0], [0.9, 0.1, 0, 0], [0, 0, 0.4, 0.6]], np.float32))
    first, second = worst_rows(prediction, pattern, ["The", "cat", "sat", "."], sequence=7, count=2)
    assert (first.sequence, first.query, first.token) == (7, 2, "sat")
    assert (first.real, first.predicted) == ("sat", "The")
    assert (first.real_weight, first.predicted_weight) == pytest.approx((0.7, 0.9))
    assert first.overlap == pytest.approx(0.2)
    assert second.query == 3
    assert second.overlap == pytest.approx(0.9)
    assert str(first) == ("sequence 7, token 2 'sat': the head looks at 'sat' (0.70), the program at 'The' (0.90)")


def test_worst_rows_of_a_short_sequence_are_fewer_than_asked_for() -> None:
    uniform = trivial_patterns(3)[TRIVIAL.index("uniform")]
    assert len(worst_rows(uniform, uniform, ["a", "b", "c"], sequence=0, count=9)) == 2


# ---- nothing is written ----------------------------------------------------------------------------------------------

SCORERS: dict[str, Callable[[Array, Array], object]] = {
    "iou": iou,
    "iou_without_first": lambda a, b: iou_without_first(a, b, 6),
    "rows_without_rest": lambda a, b: rows_without_rest(a, b, 6),
    "jensen_shannon_distance": lambda a, b: jensen_shannon_distance(a, b, 6),
    "overlaps": lambda a, b: overlaps(a[None], b[None]),
    "iou_of_overlap": lambda a, _: iou_of_overlap(a, 6),
    "first_token_mass": lambda a, _: first_token_mass(a, 6),
    "worst_rows": lambda a, b: worst_rows(a, b, list("abcdef"), sequence=0, count=3),
    "as_pattern": lambda a, _: as_pattern(frozen(unpack(a, 6) - 0.2)),
}


@pytest.mark.parametrize("name", SCORERS)
def test_scorer_reads_read_only_arrays_and_leaves_them_as_they_were(name: str) -> None:
    rng = np.random.default_rng(1)
    a, b = (frozen(as_pattern(rng.random((6, 6), np.float32))) for _ in range(2))
    before = a.copy(), b.copy()
    SCORERS[name](a, b)
    assert (a == before[0]).all()
    assert (b == before[1]).all()


def test_prediction_leaves_the_raw_weights_as_they_were() -> None:
    weights = np.array([[math.nan, 1], [-1, math.inf]], np.float32)
    before = weights.copy()
    as_pattern(weights)
    assert np.array_equal(weights, before, equal_nan=True)
