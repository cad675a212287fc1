"""The switchboards of a session: undone, redone, gone back to, and joined by those that come from elsewhere."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from readhead.heads import HeadId
from readhead_tui.timeline import Board, Flip, Timeline, difference, label_of
from tui.known_in_tests import impact_of

A, B, C, D = (HeadId(0, index) for index in range(4))
BOARDS = st.dictionaries(st.sampled_from([A, B, C]), st.sampled_from(["one", "two"]), max_size=3)


def stamp_of(board: Board) -> str:
    return repr(sorted(board.items()))


def timeline_of(*boards: Board) -> Timeline:
    timeline = Timeline()
    for board in boards:
        timeline.arrive(board, stamp_of(board), "flip")
    return timeline


def travel(timeline: Timeline, place: int) -> None:
    """There and arrived."""
    assert timeline.now is not None
    board = flipped(timeline.now.board, timeline.go(place))
    timeline.arrive(board, stamp_of(board), "flip")


def flipped(board: Board, flip: Flip) -> dict[HeadId, str]:
    after: dict[HeadId, str | None] = {**board, **flip}
    return {head: source for head, source in after.items() if source is not None}


def test_there_is_no_moment_before_the_first() -> None:
    timeline = Timeline()
    assert timeline.now is None
    assert timeline.go(0) == {}


def test_undo_and_redo_move_the_place_and_keep_the_moments() -> None:
    timeline = timeline_of({}, {A: "one"}, {A: "one", B: "one"})
    assert timeline.way_to(1) == {B: None}
    travel(timeline, 1)
    assert (timeline.place, len(timeline.moments)) == (1, 3)
    assert timeline.way_to(2) == {B: "one"}
    travel(timeline, 2)
    assert (timeline.place, len(timeline.moments)) == (2, 3)


def test_a_flip_and_its_contrary_are_two_moments_that_can_be_undone() -> None:
    timeline = timeline_of({}, {A: "one"}, {})
    assert len(timeline.moments) == 3
    assert timeline.way_to(timeline.place - 1) == {A: "one"}


def test_several_undos_at_once_lead_on_from_where_the_first_one_ends() -> None:
    timeline = timeline_of({}, {A: "one"}, {A: "one", B: "one"})
    assert timeline.go(timeline.aim - 1) == {B: None}
    assert timeline.go(timeline.aim - 1) == {A: None}
    assert timeline.go(timeline.aim + 1) == {A: "one"}
    assert (timeline.place, timeline.aim) == (2, 1)
    for board, place in (({A: "one"}, 1), ({}, 0), ({A: "one"}, 1)):
        timeline.arrive(board, stamp_of(board), "flip")
        assert (timeline.place, len(timeline.moments)) == (place, 3)


def test_a_way_that_fails_leaves_the_place_where_it_is() -> None:
    timeline = timeline_of({}, {A: "one"})
    timeline.go(0)
    timeline.stay()
    assert timeline.aim == timeline.place == 1
    timeline.arrive({}, "s", "flip")
    assert len(timeline.moments) == 3


def test_a_new_flip_after_an_undo_forgets_what_was_undone() -> None:
    timeline = timeline_of({}, {A: "one"}, {A: "one", B: "one"})
    travel(timeline, 1)
    timeline.arrive({A: "one", C: "one"}, "s", "flip")
    assert [set(moment.board) for moment in timeline.moments] == [set(), {A}, {A, C}]
    assert timeline.place == 2


def test_a_flip_from_elsewhere_is_a_moment_that_can_be_undone() -> None:
    timeline = timeline_of({}, {A: "one"})
    timeline.arrive({A: "one", D: "theirs"}, "s", "elsewhere: L0H3 → program")
    assert timeline.way_to(timeline.place - 1) == {D: None}


def test_the_same_board_again_is_no_new_moment() -> None:
    timeline = timeline_of({}, {A: "one"}, {A: "one"})
    assert len(timeline.moments) == 2


def test_places_outside_are_no_way() -> None:
    timeline = timeline_of({}, {A: "one"})
    assert timeline.way_to(-1) == {}
    assert timeline.way_to(2) == {}


def test_a_flip_from_elsewhere_while_an_undo_is_on_its_way_is_a_moment_too() -> None:
    timeline = timeline_of({}, {A: "one"})
    timeline.go(0)
    timeline.arrive({A: "one", D: "theirs"}, "s", "elsewhere")
    assert (timeline.place, timeline.aim) == (2, 2)
    timeline.arrive({D: "theirs"}, "s", "flip")
    assert timeline.way_to(timeline.place - 1) == {A: "one"}


def test_a_figure_belongs_to_the_moment_of_its_stamp() -> None:
    timeline = timeline_of({}, {A: "one"})
    timeline.moments[0].problem = "the engine ended"
    assert timeline.learn(impact_of(board=stamp_of({})))
    assert timeline.moments[0].impact == impact_of(board=stamp_of({}))
    assert timeline.moments[0].problem == ""
    assert timeline.moments[1].impact is None
    assert not timeline.learn(impact_of(board="another"))
    timeline.arrive({}, stamp_of({}), "flip")
    assert timeline.learn(impact_of(3.0, board=stamp_of({})))
    assert timeline.moments[0].impact == timeline.moments[2].impact == impact_of(3.0, board=stamp_of({}))


@given(st.lists(BOARDS, min_size=1, max_size=12))
def test_now_is_always_the_board_that_came_last(boards: list[Board]) -> None:
    timeline = Timeline()
    for board in boards:
        assert timeline.arrive(board, stamp_of(board), "flip") is timeline.now
        assert timeline.now is not None
        assert timeline.now.board == board
        assert 0 <= timeline.place < len(timeline.moments)


@given(st.lists(BOARDS, min_size=1, max_size=12), st.lists(st.integers(0, 11), max_size=6))
def test_the_way_to_a_moment_leads_to_its_board_and_adds_none(boards: list[Board], places: list[int]) -> None:
    timeline = timeline_of(*boards)
    count = len(timeline.moments)
    for place in places:
        wanted = timeline.moments[place % count]
        travel(timeline, place % count)
        assert timeline.now is not None
        assert timeline.now.board == wanted.board
        assert len(timeline.moments) == count


@given(BOARDS, BOARDS)
def test_a_difference_names_only_what_changes(before: Board, after: Board) -> None:
    flip = difference(before, after)
    assert flipped(before, flip) == after
    assert all(before.get(head) != source for head, source in flip.items())


def test_a_flip_is_told_in_few_words() -> None:
    assert label_of({A: "one"}) == "L0H0 → program"
    assert label_of({B: None, A: None}) == "L0H0 L0H1 → neural"
    assert label_of(dict.fromkeys([A, B, C, D], "one")) == "4 heads → program"
    assert label_of({A: "one", B: None}) == "L0H0 → program, L0H1 → neural"
    assert label_of({}) == "nothing changed"


def test_a_measurement_that_begins_anew_does_not_make_a_figure_worse() -> None:
    timeline = timeline_of({A: "one"})
    stamp = stamp_of({A: "one"})
    whole = replace(impact_of(board=stamp), kl=0.1, top1_agreement=0.9, controls={"zero": 9.0})
    for impact in (whole, impact_of(6.0, None, None, sequences=4, board=stamp), impact_of(board=stamp)):
        assert timeline.learn(impact)
        assert timeline.moments[0].impact == whole


def test_of_another_model_there_are_no_moments() -> None:
    timeline = timeline_of({}, {A: "one"})
    timeline.go(0)
    timeline.forget()
    assert (timeline.now, timeline.aim) == (None, -1)
    timeline.arrive({}, "", "as it was")
    assert (timeline.place, len(timeline.moments)) == (0, 1)
