"""What stands in the cells of the map fits there, whatever is known of the heads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readhead.engine import Card
from readhead.heads import HeadId
from readhead.program import CATEGORIES
from readhead_tui.colourings import ABBREVIATIONS, COLOURINGS, LEGENDS, Shown, colour
from readhead_tui.known import Alone, Known
from readhead_tui.shades import PALETTES

HEAD = HeadId(0, 0)
SHARE = st.floats(0, 1)


def known_with(
    iou: float | None = 0.5, floor: float = 0.2, *, category: str = "mixed", inactive: bool = False
) -> Known:
    card = Card("L0H0", "uniform", floor, inactive, best="a", best_iou=iou, category=category)
    return Known(cards={HEAD: card})


def shown(colouring: str, known: Known) -> Shown:
    return COLOURINGS[colouring](known, HEAD)


def test_every_colouring_has_a_legend() -> None:
    assert list(LEGENDS) == list(COLOURINGS)


def test_every_category_has_an_abbreviation_of_its_own_of_four_characters_at_most() -> None:
    assert set(ABBREVIATIONS) == set(CATEGORIES)
    assert all(len(word) <= 4 for word in ABBREVIATIONS.values())
    assert len({word[:2] for word in ABBREVIATIONS.values()}) == len(CATEGORIES), "two letters tell them apart"


@given(
    iou=SHARE, floor=SHARE, impact=st.none() | st.floats(-100, 1e9), inactive=st.booleans(),
    category=st.sampled_from([*CATEGORIES, "", "something new"]), colouring=st.sampled_from(list(COLOURINGS)),
)  # fmt: skip
def test_texts_fit_their_cells(
    iou: float, floor: float, impact: float | None, colouring: str, category: str, *, inactive: bool
) -> None:
    known = known_with(iou, floor, category=category, inactive=inactive)
    known.impacts[HEAD] = Alone("", impact)
    cell = shown(colouring, known)
    assert 1 <= len(cell.text.strip()) <= len(cell.text) <= 4
    assert 1 <= len(cell.short) <= 2


@pytest.mark.parametrize("colouring", COLOURINGS)
def test_a_head_of_which_nothing_is_known_has_no_colour(colouring: str) -> None:
    cell = shown(colouring, Known())
    if colouring == "mode":
        assert cell.text == "neur"
    else:
        assert (cell.text, colour(cell, PALETTES["viridis"])) == ("·", None)


@pytest.mark.parametrize(
    ("colouring", "known", "text", "short"),
    [
        ("IoU", known_with(0.574), ".57", "57"),
        ("IoU", known_with(1.0), "1.0", "99"),
        ("IoU", known_with(0.0), ".00", " 0"),
        ("lift", known_with(0.5, 0.2), "+.30", "30"),
        ("lift", known_with(0.1, 0.22), "-.12", "--"),
        ("lift", known_with(0.9, 0.9, inactive=True), "idle", " 0"),
        ("category", known_with(category="coreference"), "cref", "cr"),
        ("mode", Known(board={HEAD: "source"}), "prog", "pr"),
    ],
)
def test_numbers_are_told_shortly(colouring: str, known: Known, text: str, short: str) -> None:
    assert (shown(colouring, known).text, shown(colouring, known).short) == (text, short)


@pytest.mark.parametrize(
    ("impact", "text"),
    [
        (1.23, "+1.2"),
        (-0.5, "-0.5"),
        (9.97, "+10"),
        (12.7, "+13"),
        (999.4, "+999"),
        (1234.5, "+1k"),
        (1e9, ">99k"),
        (None, "no"),
    ],
)
def test_an_impact_is_told_in_percent(impact: float | None, text: str) -> None:
    known = known_with()
    known.impacts[HEAD] = Alone("", impact)
    assert shown("impact", known).text == text


def test_modes_can_be_told_apart_by_colour_and_by_word() -> None:
    neural, program = shown("mode", Known()), shown("mode", Known(board={HEAD: ""}))
    for palette in PALETTES.values():
        assert neural.text != program.text
        if palette.has_colour:
            assert colour(neural, palette) != colour(program, palette)
        else:
            assert colour(neural, palette) is None
