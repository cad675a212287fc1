from __future__ import annotations

import pytest

from readhead.reading import Reading, read


def positions(flags: tuple[bool, ...]) -> list[int]:
    return [position for position, flag in enumerate(flags) if flag]


# Words


@pytest.mark.parametrize(
    ("surfaces", "words", "index"),
    [
        ([" lay", "er", "ed", " cake"], ["lay", "layer", "layered", "cake"], [0, 0, 0, 1]),
        ([" 20", "24", "th"], ["20", "2024", "2024th"], [0, 0, 0]),
        ([" don", "'t", " go"], ["don", "don't", "go"], [0, 0, 1]),
        ([" don", "'", "t", " go"], ["don", "don'", "don't", "go"], [0, 0, 0, 1]),
        ([" don", "’", "t"], ["don", "don'", "don't"], [0, 0, 0]),
        ([" don", "<0xE2><0x80>", "<0x99>", "t"], ["don", "don", "don'", "don't"], [0, 0, 0, 0]),
        ([" Yes", ",", " well", "-", "known"], ["yes", ",", "well", "-", "known"], [0, 1, 2, 3, 4]),
        (["'", "Tis"], ["'", "tis"], [0, 1]),
        ([" so", " '", "No", "'"], ["so", "'", "no", "no'"], [0, 1, 2, 2]),
        ([" so", ",", "'", "No"], ["so", ",", "'", "no"], [0, 1, 2, 3]),
        ([" out", "'."], ["out", "'."], [0, 1]),
        ([" out", "''"], ["out", "''"], [0, 1]),
        ([" ", "Zeb", "ra"], ["", "zeb", "zebra"], [0, 0, 0]),
        ([" ", '"', "Hi"], ["", '"', "hi"], [0, 0, 1]),
        (["   ", " a"], ["", "a"], [0, 1]),
        ([" a", "\n", "b"], ["a", "", "b"], [0, 1, 2]),
        ([" so", ",\n", "yes"], ["so", ",", "yes"], [0, 1, 2]),
        ([" caf", "<0xC3>", "<0xA9>", "s"], ["caf", "caf", "café", "cafés"], [0, 0, 0, 0]),
        ([" so", "<0xE2><0x80>", "<0x94>", "yes"], ["so", "so", "—", "yes"], [0, 0, 1, 2]),
        ([" <0xF0>", "<0x9F>", "<0x99>", "<0x82>", " a"], ["", "", "", "🙂", "a"], [0, 0, 0, 0, 1]),
        ([" a", " <0xE2>", " the"], ["a", "", "the"], [0, 1, 2]),
        ([" a", "<0xE2>", "b"], ["a", "a", "ab"], [0, 0, 0]),
    ],
)
def test_words_are_joined_from_pieces_and_parted_at_spaces_and_marks(
    surfaces: list[str], words: list[str], index: list[int]
) -> None:
    reading = read(surfaces)
    assert list(reading.word) == words
    assert list(reading.word_index) == index


def test_special_token_is_a_word_of_its_own_without_text() -> None:
    reading = read([" a", "<s>", "b"], {1})
    assert reading.word == ("a", "", "b")
    assert reading.word_index == (0, 1, 2)
    assert reading.tokens == ("a", "<s>", "b")
    assert reading.characters == ("a", "", "b")


def test_special_token_ends_a_character_that_is_not_whole() -> None:
    reading = read([" a", "<0xC3>", "<s>", "<0xA9>", "b"], {2})
    assert reading.word == ("a", "a", "", "", "b")


def test_capital_is_kept_by_all_pieces_of_the_word() -> None:
    assert positions(read([" Z", "OG", " zO", " É", "a", " <0xC3>", "<0x89>", "a", " 1", "."]).capital) == [
        0,
        1,
        3,
        4,
        6,
        7,
    ]


def test_punctuation_is_what_has_no_letter_and_no_digit() -> None:
    surfaces = [" a", ",", ' "', "\n", " ", "3", "'s", "...", "🙂", "<s>", "<0xE2>", "<0x80>", "<0x94>", ".\n"]
    assert positions(read(surfaces, {9}).punctuation) == [1, 2, 7, 8, 12, 13]


# Sentences, clauses and paragraphs


@pytest.mark.parametrize(
    ("surfaces", "index"),
    [
        ([" Tom", " ran", ".", " He", " sat", "."], [0, 0, 0, 1, 1, 1]),
        (['"', "Stop", "!", '"', " he", " said", ".", " She", " left", "."], [0] * 7 + [1] * 3),
        (["Stop", "!", ' "', "Go", "?", '"', " Tom", " went", "."], [0, 0, 1, 1, 1, 1, 2, 2, 2]),
        (["Stop", '."', " The", " end"], [0, 0, 1, 1]),
        (["One", "\n", "two", "\n", "\n", "Three"], [0, 0, 1, 1, 1, 2]),
        (["One", "...", " two", "?!", " Three"], [0, 0, 0, 0, 1]),
        (["-", " one"], [0, 0]),
        ([" ", "One", ".", " ", "Two"], [0, 0, 0, 0, 1]),
        (["<0xC3>", "<0x89>", "a", ".", " <0xC3>", "<0x89>", "a"], [0, 0, 0, 0, 0, 1, 1]),
    ],
)
def test_sentences_begin_after_a_stop_unless_a_small_letter_follows(surfaces: list[str], index: list[int]) -> None:
    assert list(read(surfaces).sentence_index) == index


def test_sentence_of_the_begin_token_is_its_own() -> None:
    assert read(["<s>", "-", " one", "."], {0}).sentence_index == (0, 1, 1, 1)


@pytest.mark.parametrize(
    ("surfaces", "index"),
    [
        (["Well", ",", " he", " left", ";", " gone", "."], [0, 0, 1, 1, 1, 2, 2]),
        ([" he", " said", ",", ' "', "Hi", '."', " And"], [0, 0, 0, 1, 1, 1, 2]),
        ([" so", "—", "yes", ":", " no"], [0, 0, 1, 1, 2]),
        ([" so", "<0xE2><0x80>", "<0x94>", "yes"], [0, 0, 0, 1]),
    ],
)
def test_clauses_begin_after_commas_colons_dashes_and_stops(surfaces: list[str], index: list[int]) -> None:
    assert list(read(surfaces).clause_index) == index


def test_paragraph_ends_with_its_line_breaks() -> None:
    reading = read(["One", ".", "\n", "\n", "-", " two", ".\n", "Three"])
    assert reading.paragraph_index == (0, 0, 0, 0, 1, 1, 1, 2)
    assert reading.sentence_index == (0, 0, 0, 0, 1, 1, 1, 2)


@pytest.mark.parametrize("surface", [",", ".", "\n", " ", "-", ")", '"', "<0xE2>", ""])
def test_block_numbers_count_from_zero_whatever_comes_first(surface: str) -> None:
    reading = read([surface, " a"])
    for index in (reading.word_index, reading.sentence_index, reading.clause_index, reading.paragraph_index):
        assert index[0] == 0


# Quotations


def quotes(surfaces: list[str]) -> tuple[list[int], list[int], list[int]]:
    reading = read(surfaces)
    return list(reading.quote_index), positions(reading.opens_quote), positions(reading.closes_quote)


@pytest.mark.parametrize(
    ("surfaces", "index", "opening", "closing"),
    [
        (['"', "Hi", '"', " he", ' "', "Ho", '."', " x"], [1, 1, 1, 0, 2, 2, 2, 0], [0, 4], [2, 6]),
        (["“", "Hi", ",”", " he", " “", "Ho"], [1, 1, 1, 0, 2, 2], [0, 4], [2]),
        (["“", "a", "”", " b", "”"], [1, 1, 1, 0, 0], [0], [2, 4]),
        ([' ""', " a"], [1, 0], [0], [0]),
        (['"', "Hi", "\n", "x", ' "', "y"], [1, 1, 1, 0, 2, 2], [0, 4], []),
        (["a", '\n"', "Hi", '"\n', " x"], [0, 1, 1, 1, 0], [1], [3]),
        (["<0xE2><0x80>", "<0x9C>", "Hi"], [0, 1, 1], [1], []),
    ],
)
def test_quotations_are_numbered_with_their_marks(
    surfaces: list[str], index: list[int], opening: list[int], closing: list[int]
) -> None:
    assert quotes(surfaces) == (index, opening, closing)


def test_reading_of_nothing_is_empty() -> None:
    assert read([]) == Reading(*((),) * len(Reading.__dataclass_fields__))
