"""A filter leaves the heads that it says, and one that cannot be read names the cure."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readhead.errors import UsageError
from readhead.heads import HeadId
from readhead_tui.filters import HINT, read_filter
from readhead_tui.known import Alone, Known
from tui.fake_workspace import FakeWorkspace
from tui.known_in_tests import known_of

HEADS = FakeWorkspace().geometry.head_ids()
KNOWN = known_of(FakeWorkspace())


@pytest.fixture(scope="module")
def known() -> Known:
    workspace = FakeWorkspace()
    workspace.change({"L0H0": "one", "L2H3": "one"})
    known = known_of(workspace)
    figures = {HeadId(0, 0): 1.0, HeadId(1, 0): 4.0, HeadId(2, 0): None}
    known.impacts = {head: Alone(known.card(head).text, figure) for head, figure in figures.items()}
    return known


def left(text: str, known: Known) -> set[HeadId]:
    condition = read_filter(text)
    return {head for head in HEADS if condition(known, head)}


CASES: list[tuple[str, Callable[[Known, HeadId], bool]]] = [
    ("", lambda _, __: True),
    (" , and ", lambda _, __: True),
    ("lift < 0.1", lambda known, head: (known.lift(head) or 0) < 0.1),
    ("IoU >= 0.5", lambda known, head: (known.iou(head) or 0) >= 0.5),
    ("floor>0.3", lambda known, head: known.card(head).trivial_iou > 0.3),
    ("impact <= 2 %", lambda _, head: head == HeadId(0, 0)),  # those without an impact are left out
    ("layer = 2", lambda _, head: head.layer == 2),
    ("head == 3", lambda _, head: head.index == 3),
    ("program", lambda known, head: head in known.board),
    ("Program mode", lambda known, head: head in known.board),
    ("neural mode, layer > 2", lambda known, head: head not in known.board and head.layer > 2),
    ("inactive", lambda known, head: known.card(head).inactive),
    ("active and layer<1", lambda known, head: not known.card(head).inactive and head.layer < 1),
    ("L3H2", lambda _, head: head == HeadId(3, 2)),
    ("induction", lambda known, head: "induction" in known.card(head).best + known.card(head).category
     + known.card(head).explanation),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), CASES, ids=[text or "empty" for text, _ in CASES])
def test_a_filter_leaves_what_it_says(text: str, wanted: Callable[[Known, HeadId], bool], known: Known) -> None:
    found = left(text, known)
    assert found == {head for head in HEADS if wanted(known, head)}
    assert found, "a case that leaves nothing shows nothing"


def test_an_unknown_field_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="heads have no 'size'") as caught:
        read_filter("size < 3")
    assert caught.value.hint == HINT


def test_a_value_that_is_no_number_is_answered_with_an_example() -> None:
    with pytest.raises(UsageError, match="'much' is no number") as caught:
        read_filter("program, lift < much")
    assert "lift < 0.1" in caught.value.hint


@given(st.text(max_size=30))
def test_any_text_is_a_filter_or_a_usage_error(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert isinstance(read_filter(text)(KNOWN, HeadId(0, 0)), bool)


@given(st.sampled_from(["iou", "lift", "floor", "layer"]), st.floats(-1, 5), st.floats(-1, 5))
def test_a_higher_bound_never_leaves_fewer_heads(field: str, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert left(f"{field} < {low!r}", KNOWN) <= left(f"{field} < {high!r}", KNOWN)
