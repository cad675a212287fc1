from __future__ import annotations

import itertools
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readhead import language, words
from readhead.language import VOCABULARY, Array, Sentence, TokenFeatures, normalize, softmax

if TYPE_CHECKING:
    from collections.abc import Callable

FEATURES = [term.name.removeprefix("s.") for term in VOCABULARY if term.kind == "feature" and "(" not in term.name]
RELATIONS = [term.name.removeprefix("s.") for term in VOCABULARY if term.kind == "relation" and "(" not in term.name]
SAMPLES: dict[str, tuple[Callable[[Sentence], Array], ...]] = {
    "s.previous(k)": (lambda s: s.previous(), lambda s: s.previous(0), lambda s: s.previous(3)),
    "s.within(k)": (lambda s: s.within(0), lambda s: s.within(2)),
    "s.decay(k)": (lambda s: s.decay(0.5), lambda s: s.decay(4)),
    "s.words_back(k)": (lambda s: s.words_back(0), lambda s: s.words_back(1), lambda s: s.words_back(2)),
    "s.is_one_of(tokens)": (lambda s: s.is_one_of({" the", "ing"}), lambda s: s.word.is_one_of(["s"])),
    "s.last(x)": (lambda s: s.last(s.is_noun), lambda s: s.last(s.key.starts_sentence)),
    "s.last_before(x)": (lambda s: s.last_before(s.is_noun), lambda s: s.last_before(s.is_repeated)),
    "softmax(scores)": (
        lambda s: softmax(s.key.length),
        lambda s: softmax(4 * s.induction - s.distance + s.word.is_name * s.query.is_text),
    ),
    "normalize(weights)": (
        lambda s: normalize(s.key.is_text),
        lambda s: normalize(s.same_word_text + s.decay(3) - 0.1),
    ),
}
"""Sample calls of every name that takes arguments."""


def looks(matrix: Array) -> list[list[int]]:
    """For each query the keys with a weight."""
    return [row.nonzero()[0].tolist() for row in matrix]


def positions(vector: Array) -> list[int]:
    return [int(position) for position in vector.nonzero()[0]]


# Shapes

SMALL = ("<s>", " The", " cat", " saw", " the", " cat", ".")


def small() -> Sentence:
    return Sentence(SMALL, {0})


@pytest.mark.parametrize("name", FEATURES)
def test_feature_has_the_shape_of_its_side_and_is_float32_and_read_only(name: str) -> None:
    s = small()
    bare = getattr(s, name)
    assert bare.shape == (7,)
    assert getattr(s.key, name).shape == (1, 7)
    assert getattr(s.query, name).shape == (7, 1)
    assert getattr(s.word, name).shape == (7, 7)
    for array in (bare, getattr(s.key, name), getattr(s.query, name), getattr(s.word, name)):
        assert array.dtype == np.float32
        assert not array.flags.writeable
    assert np.array_equal(getattr(s.key, name)[0], bare)
    assert np.array_equal(getattr(s.query, name)[:, 0], bare)


@pytest.mark.parametrize("name", RELATIONS)
def test_relation_is_square_causal_float32_and_read_only(name: str) -> None:
    matrix = getattr(small(), name)
    assert matrix.shape == (7, 7)
    assert matrix.dtype == np.float32
    assert not matrix.flags.writeable
    assert not np.triu(matrix, 1).any()


@pytest.mark.parametrize(
    ("name", "call"), [(n, call) for n, calls in SAMPLES.items() if "one_of" not in n for call in calls]
)
def test_call_gives_a_square_causal_float32_matrix(name: str, call: Callable[[Sentence], Array]) -> None:
    matrix = call(small())
    assert matrix.shape == (7, 7), name
    assert matrix.dtype == np.float32
    assert not np.triu(matrix, 1).any()


def test_a_set_of_tokens_is_a_feature_of_every_side() -> None:
    s = Sentence([" the", " cat", "the", " the", "<s>"], {4})
    listed = s.is_one_of({" the", "<s>", "dog"})
    assert listed.tolist() == [1, 0, 0, 1, 1]
    assert (listed.dtype, listed.flags.writeable) == (np.float32, False)
    assert s.key.is_one_of([" the", "<s>"]).tolist() == [listed.tolist()]
    assert s.query.is_one_of((" the", "<s>")).tolist() == listed[:, None].tolist()
    assert s.word.is_one_of(()).tolist() == np.zeros((5, 5)).tolist()
    with pytest.raises(TypeError, match="expected a set of tokens"):
        s.is_one_of(" the")


def test_arrays_refuse_to_be_written() -> None:
    s = small()
    for array in (s.is_comma, s.key.is_comma, s.word.is_comma, s.same_word, s.previous(1), s.last(s.is_comma)):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_values_are_the_number_the_texts_and_the_words_so_far() -> None:
    s = Sentence(["<s>", " Lay", "er", " ", "'"], {0})
    assert s.n == 5
    assert s.tokens == ("<s>", "Lay", "er", "", "'")
    assert s.words == ("", "lay", "layer", "", "'")


def test_swapped_axis_on_a_side_is_refused_by_softmax_and_normalize() -> None:
    s = small()
    for function in (softmax, normalize):
        with pytest.raises(ValueError, match=r"expected an \[n, n\] array"):
            function(s.key.is_comma[None, :])
        with pytest.raises(ValueError, match=r"expected an \[n, n\] array"):
            function(s.query.is_comma[:, :, None] + s.distance)


def test_key_and_query_sides_broadcast_to_columns_and_rows() -> None:
    s = small()
    together = s.key.is_period + 2 * s.query.is_word_start
    assert together.shape == (7, 7)
    assert together[3, 6] == 3
    assert together[6, 3] == 0


# Features, by one text that has an example of every one

TEXT = (
    *("<s>", " Why", " didn", "'t", " Zog", "gy", " whisper", ":", ' "', "No", "!", '"'),  # 0 to 11
    *(" He", " quietly", " gave", " them", " 12", " red", " apples", "—", "then", ",", " ("),  # 12 to 22
    *("as", " Mother", "'s", ")", ".", "\n", " The", " dog", " hid", " behind", " its"),  # 23 to 33
    *(" two", " wobb", "ly", " trees", ".", " Did", " you", "?", " '", "No", "'"),  # 34 to 44
)
EXPECTED = {
    "is_special": [0],
    "is_text": [1, 2, 3, 4, 5, 6, 9, *range(12, 19), 20, *range(23, 26), *range(29, 38), 39, 40, 43],
    "is_word_start": [1, 2, 4, 6, 9, *range(12, 19), 20, 23, 24, *range(29, 36), 37, 39, 40, 43],
    "is_continuation": [3, 5, 25, 36],
    "is_capital": [1, 4, 5, 9, 12, 24, 25, 29, 39, 43, 44],
    "is_digit": [16],
    "is_short": [1, 4, 9, 12, 16, 17, 23, 29, 30, 31, 33, 34, 39, 40, 43],
    "is_long": [6, 13, 18, 24, 25, 32, 36],
    "is_punctuation": [7, 8, 10, 11, 19, 21, 22, 26, 27, 38, 41, 42, 44],
    "is_comma": [21],
    "is_period": [27, 38],
    "is_stop": [10, 27, 38, 41],
    "is_question": [41],
    "is_exclamation": [10],
    "is_colon": [7],
    "is_dash": [19],
    "is_bracket": [22, 26],
    "is_apostrophe": [42, 44],
    "is_quote": [8, 11],
    "is_opening_quote": [8],
    "is_closing_quote": [11],
    "is_newline": [28],
    "in_quotes": [8, 9, 10, 11],
    "starts_sentence": [0, 1, 12, 29, 39, 43],
    "starts_clause": [0, 1, 8, 12, 20, 23, 29, 39, 43],
    "is_article": [29],
    "is_determiner": [9, 29, 43, 44],
    "is_pronoun": [12, 15, 33, 40],
    "is_subject_pronoun": [12, 40],
    "is_object_pronoun": [15, 40],
    "is_possessive": [33],
    "is_preposition": [23, 32],
    "is_conjunction": [23],
    "is_auxiliary": [3, 39],
    "is_verb": [6, 14, 31],
    "is_speech_verb": [6],
    "is_noun": [18, 24, 30, 37],
    "is_adjective": [17],
    "is_adverb": [13, 20],
    "is_negation": [3, 9, 43, 44],
    "is_question_word": [1],
    "is_number_word": [16, 34],
    "is_name": [4, 5],
    "is_most_common": [9, 12, 15, 20, 23, 29, 33, 34, 39, 40, 43, 44],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_feature_marks_exactly_the_expected_tokens(name: str) -> None:
    assert positions(getattr(Sentence(TEXT, {0}), name)) == EXPECTED[name]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("position", [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        ("word_index", [0, 1, 1, 1, 2, 3, 3, 4, 5]),
        ("sentence_index", [0, 1, 1, 1, 1, 1, 1, 1, 2]),
        ("piece_index", [0, 0, 1, 2, 0, 0, 1, 0, 0]),
        ("place_in_sentence", [0, 0, 1, 2, 3, 4, 5, 6, 0]),
        ("place_in_clause", [0, 0, 1, 2, 3, 4, 0, 1, 0]),
        ("length", [0, 3, 3, 4, 0, 0, 1, 0, 2]),
        ("is_repeated", [0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("is_word_start", [0, 1, 0, 0, 0, 0, 1, 0, 1]),
        ("is_continuation", [0, 0, 0, 1, 0, 0, 0, 0, 0]),
    ],
)
def test_numbers_of_words_sentences_and_places_count_from_zero(name: str, values: list[int]) -> None:
    s = Sentence(["<s>", " Don", "'", "t", ",", " ", "I", "!", " Go"], {0})
    assert getattr(s, name).tolist() == values


def test_is_repeated_tells_a_word_with_a_space_from_one_without() -> None:
    assert positions(Sentence(["the", " the", " dog", " the", "the"]).is_repeated) == [3, 4]


def test_frequency_bands_part_the_words_and_leave_the_rest_as_rare() -> None:
    s = Sentence([" the", " gave", " zebra", " zygo", "te", ",", "<s>"], {6})
    assert positions(s.is_most_common) == [0]
    assert positions(s.is_common) == [1]
    assert positions(s.is_rare) == [3, 4]


@pytest.mark.parametrize("name", FEATURES)
@pytest.mark.parametrize("side", ["key", "query", "word"])
def test_feature_asked_of_a_side_first_is_the_same(side: str, name: str) -> None:
    bare = getattr(Sentence(TEXT, {0}), name)
    s = Sentence(TEXT, {0})
    turned = getattr(getattr(s, side), name)
    assert np.array_equal(turned[-1, :] if side == "key" else np.diagonal(np.broadcast_to(turned, (s.n, s.n))), bare)
    assert np.array_equal(getattr(s, name), bare)


def test_class_of_a_word_is_of_the_word_so_far_and_of_the_whole_word_by_word() -> None:
    s = Sentence([" an", "t", " a"])
    assert s.is_article.tolist() == [1, 0, 1]
    assert s.word.is_article.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 1]]


def test_name_split_into_pieces_is_one_as_soon_as_no_common_word_begins_so() -> None:
    s = Sentence(["Once", " Z", "og", " met", " L", "ily", "."])
    assert positions(s.is_name) == [2, 5]
    assert looks(s.word.is_name) == [[], [], [1, 2], [1, 2], [1, 2], [1, 2, 4, 5], [1, 2, 4, 5]]
    assert looks(s.last_name) == [[], [], [2], [2], [2], [5], [5]]


@pytest.mark.parametrize(
    ("surfaces", "names"),
    [
        ([" Lily", "'s", " dog"], [0, 1]),
        ([" Lily", "'", "s"], [0, 1, 2]),
        ([" Mother", "'s"], []),
        ([" Mother", "’", "s"], []),
        ([" Yes", "'", " he"], []),
        ([" lily", " LILY"], [1]),
        (["<Zog>"], []),
    ],
)
def test_name_is_capitalised_and_no_common_word_whatever_apostrophe_follows(
    surfaces: list[str], names: list[int]
) -> None:
    assert positions(Sentence(surfaces).is_name) == names


@pytest.mark.parametrize("pieces", [[" didn", "'t"], [" didn", "'", "t"], [" didn", "’", "t"], [" did", "n't"]])
def test_contraction_has_its_class_at_its_last_piece_however_it_is_cut(pieces: list[str]) -> None:
    s = Sentence([*pieces, " go"])
    last = len(pieces) - 1
    assert positions(s.is_negation) == [last]
    assert looks(s.word.is_negation)[last:] == [list(range(len(pieces)))] * 2


@pytest.mark.parametrize("surface", ["<|reserved_7|>", "[unused1]", "<s>", "a\nb,\"'"])
def test_special_token_has_no_feature_of_text_whatever_its_name(surface: str) -> None:
    s = Sentence([surface, " a"], {0})
    first = {name for name in FEATURES if getattr(s, name)[0]}
    assert first == {"is_special", "starts_sentence", "starts_clause"}


def test_byte_pieces_have_the_class_of_their_character_once_it_is_whole() -> None:
    s = Sentence([" so", "<0xE2><0x80>", "<0x94>", " 3", "<0xC3>", "<0xA9>", "<0xE2>", " 1"])
    assert positions(s.is_dash) == [2]
    assert positions(s.is_digit) == [3, 7]


# Distance and words


def test_distances_and_places_are_exact() -> None:
    s = Sentence(["a", "b", "c"])
    assert s.distance.tolist() == [[0, 0, 0], [1, 0, 0], [2, 1, 0]]
    assert np.allclose(s.log_distance, np.log([[1, 1, 1], [2, 1, 1], [3, 2, 1]]))
    assert looks(s.every) == [[0], [0, 1], [0, 1, 2]]
    assert looks(s.first) == [[0], [0], [0]]
    assert looks(s.itself) == looks(s.previous(0)) == [[0], [1], [2]]
    assert looks(s.previous()) == looks(s.previous(1)) == [[], [0], [1]]
    assert looks(s.previous(2)) == [[], [], [0]]
    assert looks(s.previous(9)) == [[], [], []]
    assert looks(s.within(1)) == [[0], [0, 1], [1, 2]]
    assert np.allclose(s.decay(2), np.tril(np.exp([[0, 0, 0], [-0.5, 0, 0], [-1, -0.5, 0]])))
    assert looks(s.decay(0)) == [[0], [1], [2]]


def test_word_relations_count_words_and_marks_and_pass_over_marks_for_the_previous_word() -> None:
    s = Sentence([" Don", "'", "t", ",", " go"])
    assert s.word_distance.tolist() == [
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [2, 2, 2, 1, 0],
    ]
    assert looks(s.same_word) == [[0], [0, 1], [0, 1, 2], [3], [4]]
    assert looks(s.word_start) == [[0], [0], [0], [3], [4]]
    assert looks(s.words_back(0)) == looks(s.same_word)
    assert looks(s.words_back(1)) == [[], [], [], [0, 1, 2], [3]]
    assert looks(s.words_back(2)) == [[], [], [], [], [0, 1, 2]]
    assert looks(s.previous_word) == [[], [], [], [0, 1, 2], [0, 1, 2]]


@pytest.mark.parametrize("k", [-1, 1.5, 0.5])
def test_count_that_is_no_whole_number_is_refused_every_time(k: Any) -> None:
    s = Sentence(["a", "b"])
    for call in (s.previous, s.within, s.words_back):
        call(1)
        call(0)
        with pytest.raises(ValueError, match="expected a whole number of 0 or more"):
            call(k)


# Sentences, clauses, quotations

QUOTED = ('"', "Stop", "!", '"', " he", " said", ",", " gone", ".\n", "She", " left")


def test_sentence_and_clause_relations_keep_a_quotation_with_the_words_that_report_it() -> None:
    s = Sentence(QUOTED)
    assert positions(s.starts_sentence) == [0, 9]
    assert positions(s.starts_clause) == [0, 7, 9]
    assert looks(s.same_sentence)[8:] == [list(range(9)), [9], [9, 10]]
    assert looks(s.sentence_start) == [[0]] * 9 + [[9]] * 2
    assert looks(s.previous_sentence) == [[]] * 9 + [list(range(9))] * 2
    assert looks(s.same_clause)[6:] == [list(range(7)), [7], [7, 8], [9], [9, 10]]
    assert looks(s.clause_start) == [[0]] * 7 + [[7]] * 2 + [[9]] * 2
    assert looks(s.same_paragraph) == looks(s.same_sentence)


def test_same_quote_joins_one_quotation_with_its_marks_only() -> None:
    s = Sentence(['"', "A", '"', " b", ' "', "C"])
    assert looks(s.same_quote) == [[0], [0, 1], [0, 1, 2], [], [4], [4, 5]]


# The nearest of a kind


def test_last_counts_the_query_itself_and_last_before_does_not() -> None:
    s = Sentence([" a", ",", " b", ",", " c"])
    for commas in (s.is_comma, s.key.is_comma, s.query.is_comma):
        assert looks(s.last(commas)) == [[], [1], [1], [3], [3]]
        assert looks(s.last_before(commas)) == [[], [], [1], [1], [3]]


def test_last_relations_look_at_the_nearest_of_their_kind() -> None:
    s = Sentence([" Lily", ".", ' "', "A", "\n", "b"])
    assert looks(s.last_punctuation) == [[], [1], [2], [2], [2], [2]]
    assert looks(s.last_stop) == [[], [1], [1], [1], [1], [1]]
    assert looks(s.last_quote) == [[], [], [2], [2], [2], [2]]
    assert looks(s.last_newline) == [[], [], [], [], [4], [4]]
    assert looks(s.last_name) == [[0]] * 6


def test_last_of_what_is_no_feature_is_refused() -> None:
    s = small()
    for wrong in (s.same_word, s.is_comma[:3], 1.0):
        for call in (s.last, s.last_before):
            with pytest.raises(ValueError, match="one number for each of the 7 tokens"):
                call(wrong)  # type: ignore[arg-type]


# Copies


def test_copies_of_tokens_and_what_followed_them_are_found() -> None:
    s = small()
    assert looks(s.same_token) == looks(s.last_same_token) == [[], [], [], [], [], [2], []]
    assert looks(s.induction) == looks(s.last_induction) == [[], [], [], [], [], [3], []]
    assert looks(s.same_word_text) == [[], [], [], [], [1], [2], []]
    assert looks(s.word_induction) == [[], [], [], [], [2], [3], []]


def test_nearest_copy_is_the_only_one_of_the_last_relations() -> None:
    s = Sentence([" a", " b", " a", " c", " a"])
    assert looks(s.same_token) == [[], [], [0], [], [0, 2]]
    assert looks(s.last_same_token) == [[], [], [0], [], [2]]
    assert looks(s.induction) == [[], [], [1], [], [1, 3]]
    assert looks(s.last_induction) == [[], [], [1], [], [3]]


def test_induction_after_an_immediate_copy_is_the_query_itself() -> None:
    s = Sentence([" no", " no", " no"])
    expected = [[], [1], [1, 2]]
    assert looks(s.induction) == looks(s.word_induction) == expected
    assert looks(s.last_induction) == [[], [1], [2]]


def test_context_match_counts_equal_tokens_backwards_up_to_four() -> None:
    assert Sentence([" a", " b", " c", " a", " b"]).context_match.tolist() == [
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0],
        [0, 0, 2, 0, 0],
    ]
    assert Sentence([" x"] * 7).context_match[6].tolist() == [0, 1, 2, 3, 4, 4, 4]


def test_word_copies_ignore_capitals_and_how_the_word_is_cut() -> None:
    s = Sentence(["Zog", "gy", " ran", ",", " z", "oggy"])
    assert looks(s.same_word_text) == [[], [], [], [], [], [1]]
    assert looks(s.word_induction) == [[], [], [], [], [], [2]]


def test_word_copies_of_blanks_and_special_tokens_are_none() -> None:
    s = Sentence(["<s>", "\n", " ", "a", "\n", "<s>"], {0, 5})
    assert not s.same_word_text.any()
    assert not s.word_induction.any()
    assert looks(s.same_token) == [[], [], [], [], [1], [0]]


# softmax and normalize


@pytest.mark.parametrize("shape", [(4,), (1, 4), (4, 1), (4, 4)])
@pytest.mark.parametrize("function", [softmax, normalize])
def test_rows_sum_to_one_over_visible_keys_from_every_shape(
    function: Callable[[Array], Array], shape: tuple[int, ...]
) -> None:
    scores = np.random.default_rng(0).uniform(0.1, 3, shape).astype(np.float32)
    kept = scores.copy()
    rows = function(scores)
    assert rows.shape == (4, 4)
    assert rows.dtype == np.float32
    assert np.allclose(rows.sum(axis=1), 1, atol=1e-6)
    assert not np.triu(rows, 1).any()
    assert np.array_equal(scores, kept)


def test_softmax_is_the_exponential_share_among_visible_keys() -> None:
    thirds = np.log([[1, 5, 5], [1, 3, 5], [1, 1, 2]])
    assert np.allclose(softmax(thirds), [[1, 0, 0], [0.25, 0.75, 0], [0.25, 0.25, 0.5]])


def test_softmax_of_large_scores_does_not_overflow() -> None:
    assert np.allclose(softmax([1e30, 1e30]), [[1, 0], [0.5, 0.5]])
    assert np.allclose(softmax([-1e30, -1e30]), [[1, 0], [0.5, 0.5]])


def test_softmax_row_without_any_score_is_nan_and_leaves_the_others() -> None:
    rows = softmax([-np.inf, 0.0, -np.inf])
    assert np.isnan(rows[0]).tolist() == [True, True, True]
    assert rows[1:].tolist() == [[0, 1, 0], [0, 1, 0]]


def test_softmax_score_that_is_not_visible_never_matters() -> None:
    for hidden in (np.nan, np.inf, -np.inf, 1e30):
        assert softmax([0.0, 0.0, hidden])[:2].tolist() == [[1, 0, 0], [0.5, 0.5, 0]]
        assert normalize([1.0, 1.0, hidden])[:2].tolist() == [[1, 0, 0], [0.5, 0.5, 0]]


def test_normalize_is_the_share_among_visible_keys_without_negative_and_nan() -> None:
    weights = np.array([[2, 9, 9], [1, 3, 9], [-1, np.nan, 4]])
    assert normalize(weights).tolist() == [[1, 0, 0], [0.25, 0.75, 0], [0, 0, 1]]


def test_normalize_row_without_weight_is_zero() -> None:
    assert normalize([0.0, -1.0, 2.0]).tolist() == [[0, 0, 0], [0, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize("function", [softmax, normalize])
def test_one_token_gets_the_whole_weight(function: Callable[[Any], Array]) -> None:
    for one in ([1.0], [[1.0]]):
        assert function(one).tolist() == [[1]]


@pytest.mark.parametrize("function", [softmax, normalize])
@pytest.mark.parametrize("wrong", [1.0, np.float32(2), [], np.ones((2, 3)), np.ones((3, 3, 3)), np.ones((1, 1, 3))])
def test_what_is_no_part_of_a_square_is_refused_with_its_shape(function: Callable[[Any], Array], wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"expected an \[n, n\] array or a part of one") as caught:
        function(wrong)
    assert str(np.shape(wrong)) in str(caught.value)


# The vocabulary


def test_vocabulary_has_an_entry_for_every_public_name() -> None:
    public = {name for name in dir(Sentence) if not name.startswith("_")}
    functions = {name for name in language.__all__ if name.islower()}
    named = [term.name.removeprefix("s.").partition("(")[0] for term in VOCABULARY]
    assert sorted(named) == sorted(public | functions)


def test_vocabulary_tells_the_meaning_of_every_name_in_sentences() -> None:
    for term in VOCABULARY:
        assert term.meaning.endswith("."), term
        assert "\n" not in term.meaning
        assert term.kind in {"side", "value", "feature", "relation", "function"}
        assert term.shape


def test_vocabulary_samples_cover_every_name_with_arguments() -> None:
    assert set(SAMPLES) == {term.name for term in VOCABULARY if "(" in term.name}


def test_examples_cover_every_feature_of_form_and_class() -> None:
    numbers = {"position", "word_index", "sentence_index", "piece_index", "place_in_sentence", "place_in_clause"}
    others = {"length", "is_repeated", "is_common", "is_rare", "is_content", "is_function"}
    assert set(FEATURES) == set(EXPECTED) | numbers | others


def test_sentence_and_its_sides_are_token_features() -> None:
    assert isinstance(small(), TokenFeatures)
    assert isinstance(small().key, TokenFeatures)


# Word lists


def test_word_lists_are_lower_case_and_of_single_words_with_straight_apostrophes() -> None:
    lists = {name: value for name, value in vars(words).items() if isinstance(value, frozenset)}
    assert len(lists) > 15
    for name, members in lists.items():
        assert members, name
        wrong = [w for w in members if w != w.lower() or len(w.split()) != 1 or not w.replace("'", "").isalnum()]
        assert wrong == [], name


def test_frequency_bands_share_no_word() -> None:
    for one, other in itertools.combinations((words.MOST_COMMON, words.COMMON, words.FAMILIAR), 2):
        assert one & other == frozenset()
    assert len(words.MOST_COMMON) <= 100 < len(words.COMMON) <= 500 < len(words.FAMILIAR)


# Causality

POOL = (
    *(" the", "the", " The", " Lily", " L", "ily", " an", "t", " said", " ran", " not", " why", " two", " under"),
    *(",", ".", "...", "?!", ":", "—", " -", "(", ")", '"', ' "', '."', '""', "“", " “", "”", "'", " '", "'s", "’"),
    *("\n", "\n\n", ".\n", '\n"', " ", "  ", "", "3", " 42", "é", " ñ", "<0xE2>", " <0xE2>", "<0xE2><0x80>", "<0x99>"),
    *("<0x94>", "<0xF0><0x9F>", "<0x99><0x82>", "<0xC3>", "🙂"),
)
TOKENS = st.lists(st.one_of(st.sampled_from(POOL), st.sampled_from(POOL), st.just("<s>")), min_size=1, max_size=9)


def evaluate(surfaces: list[str]) -> dict[str, Any]:
    """Every entry of the vocabulary, on one text."""
    s = Sentence(surfaces, {position for position, surface in enumerate(surfaces) if surface == "<s>"})
    values: dict[str, Any] = {}
    for term in VOCABULARY:
        name = term.name.removeprefix("s.")
        if term.kind == "side":
            values |= {f"{term.name}.{feature}": getattr(getattr(s, name), feature) for feature in FEATURES}
        elif "(" in name:
            values |= {f"{term.name}, sample {k}": call(s) for k, call in enumerate(SAMPLES[term.name])}
        else:
            values[term.name] = getattr(s, name)
    return values


def known(name: str, value: Any, tokens: int) -> Any:
    """The part of a value that the first tokens decide alone."""
    if name.startswith("s.key."):
        return value[:, :tokens]
    return value[:tokens, :tokens] if isinstance(value, np.ndarray) and value.ndim == 2 else value[:tokens]


@settings(derandomize=True, max_examples=80, deadline=None, database=None)
@given(read=TOKENS, later=TOKENS, other=TOKENS)
def test_nothing_that_is_known_at_a_token_moves_with_the_tokens_after_it(
    read: list[str], later: list[str], other: list[str]
) -> None:
    cut, full, replaced = evaluate(read), evaluate([*read, *later]), evaluate([*read, *other])
    assert cut.pop("s.n") == len(read)
    for name, value in cut.items():
        for longer in (full, replaced):
            before = known(name, longer[name], len(read))
            if isinstance(value, np.ndarray):
                assert np.allclose(before, value, rtol=0, atol=1e-5), name
            else:
                assert before == value, name
            if getattr(longer[name], "ndim", 0) == 2 and not name.startswith(("s.key.", "s.query.")):
                assert not longer[name][: len(read), len(read) :].any(), name


@settings(derandomize=True, max_examples=40, deadline=None, database=None)
@given(surfaces=TOKENS)
def test_everything_is_finite_and_float32(surfaces: list[str]) -> None:
    for name, value in evaluate(surfaces).items():
        if isinstance(value, np.ndarray):
            assert value.dtype == np.float32, name
            assert np.isfinite(value).all(), name


# Imports


@pytest.mark.parametrize("module", ["language", "tokens", "corpus", "program", "errors", "heads"])
def test_import_of_a_pure_module_loads_neither_torch_nor_transformers(module: str) -> None:
    code = (
        f"import sys, readhead.{module}; print([m for m in ('torch', 'transformers', 'datasets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_word_ends_are_the_last_pieces_of_finished_words() -> None:
    s = Sentence(("<s>", " l", "ay", "er", " c", "ake", "."), {0})
    assert looks(s.word_ends) == [[], [0], [0], [0], [0, 3], [0, 3], [0, 3, 5]]


def test_content_and_function_words_are_told_apart() -> None:
    s = Sentence((" Lily", " ran", " to", " the", " big", " house", " and", " she", " sat", "."))
    assert positions(s.is_content) == [0, 1, 4, 5, 8]
    assert positions(s.is_function) == [2, 3, 6, 7]
