from __future__ import annotations

import pytest

from readhead.errors import UsageError
from readhead.heads import Geometry, HeadId


def test_head_prints_as_layer_and_index() -> None:
    assert str(HeadId(3, 7)) == "L3H7"


@pytest.mark.parametrize("text", ["L3H7", "l3h7", " L3H7\n", "L03H07"])
def test_parse_of_a_spelling_gives_the_head(text: str) -> None:
    assert HeadId.parse(text) == HeadId(3, 7)


@pytest.mark.parametrize("text", ["", "3.7", "L3", "H7", "L-1H2", "L3H7x", "L3 H7"])
def test_parse_of_anything_else_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(UsageError, match="is not a head") as caught:
        HeadId.parse(text)
    assert "L3H7" in caught.value.hint


def test_heads_sort_by_layer_then_index() -> None:
    assert sorted([HeadId(10, 0), HeadId(2, 11), HeadId(2, 3)]) == [HeadId(2, 3), HeadId(2, 11), HeadId(10, 0)]


def test_head_ids_are_in_the_order_of_index_of() -> None:
    geometry = Geometry(layers=2, heads=3)
    assert [str(head) for head in geometry.head_ids()] == ["L0H0", "L0H1", "L0H2", "L1H0", "L1H1", "L1H2"]
    assert [geometry.index_of(head) for head in geometry.head_ids()] == list(range(geometry.size))


@pytest.mark.parametrize("head", [HeadId(2, 0), HeadId(0, 3), HeadId(-1, 0), HeadId(0, -1)])
def test_index_of_a_head_that_the_model_has_not_is_refused(head: HeadId) -> None:
    with pytest.raises(UsageError, match="has no head") as caught:
        Geometry(layers=2, heads=3).index_of(head)
    assert "L1H2" in caught.value.hint
