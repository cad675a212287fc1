from __future__ import annotations

import pytest
from transformers import PreTrainedTokenizerFast

from core.tokenizers_in_tests import byte_level_bpe, sentencepiece, wordpiece
from readhead.corpus import encode
from readhead.language import Sentence
from readhead.tokens import Text, TokenReader

TEXT = "Once, Zog's café didn't open — \"Why?\" she asked.\nIn 2024 it cost 15 🙂 “Oh no!”"
WORDS = [
    *("once", ",", "zog's", "café", "didn't", "open", "—", '"', "why", "?", '"', "she", "asked", ".", ""),
    *("in", "2024", "it", "cost", "15", "🙂", "“", "oh", "no", "!", "”"),
]


def read(tokenizer: PreTrainedTokenizerFast, text: str) -> Text:
    return TokenReader(tokenizer).read(encode(tokenizer, text))


def finished_words(text: Text) -> list[str]:
    """The words at their last pieces; marks that share a token are counted singly, as other tokenizers part them."""
    s = Sentence(text.surfaces, text.special)
    index = s.word_index
    last = [p for p in range(s.n) if p + 1 == s.n or index[p] != index[p + 1]]
    found = [s.words[p] for p in last if p not in text.special]
    return [part for word in found for part in (word if word and not any(map(str.isalnum, word)) else [word])]


@pytest.mark.parametrize("tokenizer", [byte_level_bpe(), byte_level_bpe(bos=False)], ids=["bos", "no bos"])
def test_surfaces_of_byte_level_bpe_joined_give_the_text(tokenizer: PreTrainedTokenizerFast) -> None:
    plain = TEXT.replace("é", "e").replace("—", "-").replace("🙂", ":)").replace("“", '"').replace("”", '"')
    text = read(tokenizer, plain)
    assert "".join(s for p, s in enumerate(text.surfaces) if p not in text.special) == plain


@pytest.mark.parametrize("tokenizer", [sentencepiece(), sentencepiece(bos=False)], ids=["bos", "no bos"])
def test_surfaces_of_sentencepiece_joined_give_the_text_after_a_space(tokenizer: PreTrainedTokenizerFast) -> None:
    plain = TEXT.replace("é", "e").replace("—", "-").replace("🙂", ":)").replace("“", '"').replace("”", '"')
    text = read(tokenizer, plain)
    assert "".join(s for p, s in enumerate(text.surfaces) if p not in text.special) == " " + plain


def test_surfaces_of_wordpiece_joined_give_the_text_but_for_spaces_and_case() -> None:
    tokenizer = wordpiece(TEXT)
    text = TokenReader(tokenizer).read(tokenizer(TEXT)["input_ids"])
    assert "".join("".join(text.surfaces).split()) == "".join(TEXT.lower().split())


def test_surfaces_of_wordpiece_have_a_space_exactly_before_first_pieces() -> None:
    tokenizer = wordpiece("unbelievable")
    ids = [tokenizer.convert_tokens_to_ids(name) for name in ("dog", "##s", ",")]
    assert TokenReader(tokenizer).read(ids).surfaces[0] == " dog"
    assert TokenReader(tokenizer).read(ids).surfaces[1] == "s"


@pytest.mark.parametrize(
    ("tokenizer", "mark"), [(byte_level_bpe(), "<|endoftext|>"), (sentencepiece(), "<s>")], ids=["bpe", "sentencepiece"]
)
def test_special_positions_are_found_and_keep_their_names(tokenizer: PreTrainedTokenizerFast, mark: str) -> None:
    bos = tokenizer.bos_token_id
    text = TokenReader(tokenizer).read([bos, *tokenizer("the dog", add_special_tokens=False)["input_ids"], bos])
    assert text.special == {0, len(text) - 1}
    assert text.surfaces[0] == text.surfaces[-1] == mark


def test_special_positions_without_special_tokens_are_none() -> None:
    assert read(byte_level_bpe(bos=False), TEXT).special == frozenset()


@pytest.mark.parametrize("tokenizer", [byte_level_bpe(), sentencepiece()], ids=["bpe", "sentencepiece"])
def test_token_of_half_a_character_reads_as_its_byte(tokenizer: PreTrainedTokenizerFast) -> None:
    text = read(tokenizer, "the —")
    assert text.surfaces[-3:] in {("<0xE2>", "<0x80>", "<0x94>"), (" <0xE2>", "<0x80>", "<0x94>")}
    assert Sentence(text.surfaces, text.special).words[-1] == "—"


def test_byte_token_of_a_whole_character_reads_as_that_character() -> None:
    assert read(sentencepiece(), "the\ndog").surfaces.count("\n") == 1


@pytest.mark.parametrize("tokenizer", [byte_level_bpe(), sentencepiece()], ids=["bpe", "sentencepiece"])
def test_words_of_one_text_are_the_same_in_every_tokenizer(tokenizer: PreTrainedTokenizerFast) -> None:
    assert finished_words(read(tokenizer, TEXT)) == WORDS


@pytest.mark.parametrize("tokenizer", [byte_level_bpe(), sentencepiece()], ids=["bpe", "sentencepiece"])
def test_words_with_a_typographic_apostrophe_in_bytes_are_contractions(tokenizer: PreTrainedTokenizerFast) -> None:
    text = read(tokenizer, "she didn’t open it")
    assert "<0x99>" in "".join(text.surfaces)
    assert finished_words(text) == ["she", "didn't", "open", "it"]


@pytest.mark.parametrize("tokenizer", [byte_level_bpe(), sentencepiece()], ids=["bpe", "sentencepiece"])
def test_quotation_marks_in_bytes_open_and_close(tokenizer: PreTrainedTokenizerFast) -> None:
    text = read(tokenizer, "she said “no” then")
    s = Sentence(text.surfaces, text.special)
    opening, closing = s.words.index("“"), s.words.index("”")
    assert s.is_opening_quote.nonzero()[0].tolist() == [opening]
    assert s.is_closing_quote.nonzero()[0].tolist() == [closing]
    assert s.in_quotes.nonzero()[0].tolist() == list(range(opening, closing + 1))


def test_surface_of_a_token_never_depends_on_later_tokens() -> None:
    for tokenizer in (byte_level_bpe(), sentencepiece(), wordpiece()):
        ids = encode(tokenizer, TEXT)
        reader = TokenReader(tokenizer)
        assert all(reader.read(ids[:n]) == reader.read(ids).cut(n) for n in range(len(ids)))


def test_cut_leaves_out_later_special_positions() -> None:
    text = Text(("<s>", " a", "<s>"), frozenset({0, 2}))
    assert text.cut(2) == Text(("<s>", " a"), frozenset({0}))
    assert len(text.cut(2)) == 2


def test_vocabulary_without_marks_reads_names_as_they_are() -> None:
    class Characters:
        all_special_ids: list[int] = []  # noqa: RUF012 - a fake

        def get_vocab(self) -> dict[str, int]:
            return {"a": 0, "b": 1, " ": 2}

        def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
            return ["ab "[i] for i in ids]

    assert TokenReader(Characters()).read([0, 2, 1]).surfaces == ("a", " ", "b")


def test_token_added_as_plain_text_in_byte_level_bpe_reads_as_it_is() -> None:
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=byte_level_bpe().backend_tokenizer)
    tokenizer.add_tokens(["two words"])
    assert "two words" in read(tokenizer, "two words").surfaces
