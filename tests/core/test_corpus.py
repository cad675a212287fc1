from __future__ import annotations

import dataclasses
import json
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from core.tokenizers_in_tests import byte_level_bpe, sentencepiece
from readhead.corpus import MOST_DOCUMENTS, PARTS, Corpus, Part, Sizes, build_corpus, encode, read_documents, tokenize
from readhead.errors import CorpusError
from readhead.tokens import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

TINY = Sizes(fit=4, dev=2, held_out=2, length=8)


def stories(count: int) -> list[str]:
    return [f"{k}: the dog of the girl ran home, and she said that it was cold and wet." for k in range(count)]


def built(documents: Iterable[str], sizes: Sizes = TINY, **options: Any) -> Corpus:
    return build_corpus(documents, byte_level_bpe(), sizes, **options)


def begins(corpus: Corpus, part: str) -> set[str]:
    """The documents of a part, by the number that they begin with."""
    texts = ("".join(sequence.text.surfaces[1:]) for sequence in corpus[part])  # type: ignore[index]
    return {text.partition(":")[0] for text in texts}


def refused(documents: Iterable[str]) -> CorpusError:
    with pytest.raises(CorpusError) as caught:
        list(documents)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


# Documents


def test_bundled_documents_are_many_and_different() -> None:
    documents = [document.strip() for document in read_documents("bundled")]
    assert len(documents) > 64
    assert len(set(documents)) == len(documents)
    assert not any("<|endoftext|>" in document for document in documents)


def test_text_with_separators_is_one_document_between_two(tmp_path: Path) -> None:
    file = tmp_path / "stories.txt"
    file.write_text("One\nand more\n<|endoftext|>\nTwo\n  <|endoftext|>  \n<|endoftext|>\nThree", encoding="utf-8")
    assert [d.strip() for d in read_documents(str(file))] == ["One\nand more", "Two", "Three"]


def test_text_without_separators_is_one_document_a_line(tmp_path: Path) -> None:
    file = tmp_path / "lines.md"
    file.write_text("One\nTwo é 🙂\r\n\nThree", encoding="utf-8")
    assert [d.strip() for d in read_documents(str(file)) if d.strip()] == ["One", "Two é 🙂", "Three"]


@pytest.mark.parametrize("suffix", [".jsonl", ".ndjson"])
@pytest.mark.parametrize("field", ["text", "content", "story", "document"])
def test_json_lines_are_read_by_a_usual_field(tmp_path: Path, field: str, suffix: str) -> None:
    file = tmp_path / f"rows{suffix}"
    file.write_text(f'{{"id": 1, "{field}": "One\\nmore"}}\n\n{{"{field}": "Two"}}\n', encoding="utf-8")
    assert list(read_documents(str(file))) == ["One\nmore", "Two"]


def test_json_lines_are_read_by_the_field_that_is_named(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"text": "no", "goal": "One"}\n', encoding="utf-8")
    assert list(read_documents(f"{file}#goal")) == ["One"]


def test_json_lines_with_half_an_emoji_give_text_that_can_be_encoded(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"text": "so \\ud83d sad"}\n{"text": "so \\ud83d\\ude42 glad"}\n', encoding="utf-8")
    documents = list(read_documents(str(file)))
    assert documents == ["so ? sad", "so 🙂 glad"]
    assert built([*documents, *stories(8)]).copies == 0


def test_folder_is_one_document_a_text_file_in_the_order_of_names(tmp_path: Path) -> None:
    for name, text in {"b.txt": "Two\nlines", "a.txt": "One", "c.md": "no"}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert list(read_documents(str(tmp_path))) == ["One", "Two\nlines"]


@pytest.mark.parametrize("name", ["plain.txt", "rows.jsonl"])
def test_byte_order_mark_is_no_part_of_the_text(tmp_path: Path, name: str) -> None:
    text = '{"text": "One"}' if name.endswith("l") else "One"
    (tmp_path / name).write_text(text, encoding="utf-8-sig")
    assert list(read_documents(str(tmp_path / name))) == ["One"]


def test_file_with_a_number_sign_in_its_name_is_found(tmp_path: Path) -> None:
    file = tmp_path / "part#1.txt"
    file.write_text("One", encoding="utf-8")
    assert list(read_documents(str(file))) == ["One"]


# Bad input


@pytest.mark.parametrize("spec", ["nowhere.txt", "/nowhere/at/all", "./nowhere", "a/b/c", "nowhere", "a/rows.jsonl#x"])
def test_missing_file_is_refused_by_its_name(spec: str) -> None:
    with pytest.raises(CorpusError) as caught:
        read_documents(spec)
    assert str(caught.value) == f"there is no corpus {spec.partition('#')[0]}"
    assert "bundled" in caught.value.hint


@pytest.mark.parametrize("content", ["", "\n \n", "<|endoftext|>\n<|endoftext|>\n"])
def test_file_without_text_is_refused_as_empty(tmp_path: Path, content: str) -> None:
    file = tmp_path / "empty.txt"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(CorpusError, match=r"the corpus empty\.txt is empty") as caught:
        built(read_documents(str(file)), name="empty.txt")
    assert caught.value.hint


def test_only_short_documents_are_refused_with_their_number_and_the_longest() -> None:
    with pytest.raises(CorpusError) as caught:
        built(["a", "b", "c", "dog"], Sizes(length=50), name="mine")
    assert "\n" not in str(caught.value)
    assert "leaves the fit and dev and held-out part empty: of 4 documents 4 have fewer than 50" in str(caught.value)
    assert "--length" in caught.value.hint


@pytest.mark.parametrize("count", [1, 2, 3])
def test_fewer_than_four_documents_are_refused(count: int) -> None:
    with pytest.raises(CorpusError, match="part empty") as caught:
        built(stories(count))
    assert "at least four" in caught.value.hint


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "folder/a.txt"])
def test_file_that_is_not_utf8_is_refused_with_the_line(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    row = b'{"text": "One"}\n'
    file.write_bytes(row * 5000 + b'{"text": "caf\xe9"}\n' + row)
    error = refused(read_documents(str(file.parent if name.startswith("folder") else file)))
    assert str(error) == f"{file} is not UTF-8 (line 5001)"
    assert "iconv" in error.hint


@pytest.mark.parametrize("row", ['{"text": "Two"', "{'text': 'Two'}", "Two"])
def test_broken_json_line_is_refused_with_its_number(tmp_path: Path, row: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(f'{{"text": "One"}}\n\n{row}\n', encoding="utf-8")
    assert str(refused(read_documents(str(file)))).startswith(f"{file}, line 3 is not JSON: ")


@pytest.mark.parametrize(
    ("row", "has"), [('{"id": "1", "text": 2}', "id, text"), ('["One"]', "list"), ('"One"', "str"), ("{}", "")]
)
def test_row_without_a_text_field_is_refused_with_what_it_has(tmp_path: Path, row: str, has: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(row, encoding="utf-8")
    error = refused(read_documents(str(file)))
    assert str(error) == f"{file}, line 1 has no text field 'text' (it has: {has})"
    assert "#" in error.hint


def test_row_without_the_named_field_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"text": "One"}', encoding="utf-8")
    assert "no text field 'goal' (it has: text)" in str(refused(read_documents(f"{file}#goal")))


def test_folder_without_text_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("One", encoding="utf-8")
    assert str(refused(read_documents(str(tmp_path)))) == f"the folder {tmp_path} holds no .txt file"


def test_file_that_cannot_be_read_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    assert str(refused(read_documents(str(tmp_path)))) == f"{tmp_path / 'a.txt'} cannot be read: Is a directory"


def test_hub_data_set_without_the_extra_is_refused_with_the_extra_in_the_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    error = refused(read_documents("owner/name"))
    assert str(error) == "there is no file owner/name, and hub data sets need the extra `hub`"
    assert "readhead[hub]" in error.hint


def fake_hub(monkeypatch: pytest.MonkeyPatch, rows: Iterable[Any]) -> list[str]:
    asked: list[str] = []

    def load_dataset(name: str, *, split: str, streaming: bool) -> Iterator[Any]:
        asked.append(f"{name} {split} {streaming}")
        yield from rows

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    return asked


@pytest.mark.parametrize("name", ["owner/name", "owner/name-1.0"])
def test_hub_data_set_is_streamed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    asked = fake_hub(monkeypatch, [{"goal": "One"}, {"goal": "Two"}])
    assert list(read_documents(f"{name}#goal")) == ["One", "Two"]
    assert asked == [f"{name} train True"]


def test_hub_row_without_a_text_field_is_refused_with_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_hub(monkeypatch, [{"text": "One"}, {"label": 1}])
    assert str(refused(read_documents("owner/name"))).startswith("owner/name, row 1 has no text field")


@pytest.mark.parametrize(("message", "reason"), [("no such set\nstack", "no such set"), ("", "ConnectionError")])
def test_hub_failure_is_refused_with_its_first_line(monkeypatch: pytest.MonkeyPatch, message: str, reason: str) -> None:
    def rows() -> Iterator[Any]:
        yield {"text": "One"}
        raise ConnectionError(message)

    fake_hub(monkeypatch, rows())
    assert str(refused(read_documents("owner/name"))) == f"the data set owner/name cannot be read: {reason}"


# Sizes


@pytest.mark.parametrize(("sequences", "parts"), [(4, (2, 1, 1)), (5, (3, 1, 1)), (128, (64, 32, 32))])
def test_sizes_of_a_total_are_two_to_one_to_one(sequences: int, parts: tuple[int, int, int]) -> None:
    sizes = Sizes.of(sequences, 16)
    assert (sizes.fit, sizes.dev, sizes.held_out, sizes.length) == (*parts, 16)


@pytest.mark.parametrize("sequences", [3, 0, -1])
def test_sizes_of_too_few_sequences_are_refused(sequences: int) -> None:
    with pytest.raises(CorpusError, match="cannot be split") as caught:
        Sizes.of(sequences, 16)
    assert "4" in caught.value.hint


@pytest.mark.parametrize("length", [1, 0, -3])
def test_length_under_two_is_refused(length: int) -> None:
    with pytest.raises(CorpusError, match="have no pattern") as caught:
        built(stories(8), dataclasses.replace(TINY, length=length))
    assert "--length" in caught.value.hint


@pytest.mark.parametrize("wanted", [0, -1])
def test_part_that_wants_nothing_is_refused_as_empty(wanted: int) -> None:
    with pytest.raises(CorpusError, match="leaves the dev part empty"):
        built(stories(8), dataclasses.replace(TINY, dev=wanted))


# Sequences


def test_sequences_are_beginnings_of_documents_of_one_length() -> None:
    corpus = built(stories(20))
    assert {part: len(corpus[part]) for part in PARTS} == {"fit": 4, "dev": 2, "held-out": 2}
    assert corpus.all() == (*corpus["fit"], *corpus["dev"], *corpus["held-out"])
    documents = stories(20)
    for sequence in corpus.all():
        assert len(sequence.ids) == len(sequence.text) == corpus.length == 8
        assert sequence.ids[0] == byte_level_bpe().bos_token_id
        assert sequence.text.special == {0}
        assert any(document.startswith("".join(sequence.text.surfaces[1:])) for document in documents)


def test_sequences_of_a_tokenizer_without_bos_begin_with_text() -> None:
    for tokenizer in (byte_level_bpe(bos=False), sentencepiece(bos=False)):
        for sequence in build_corpus(stories(12), tokenizer, TINY).all():
            assert sequence.text.special == frozenset()
            assert "".join(sequence.text.surfaces).strip()[0].isdigit()


def test_encode_puts_one_bos_before_the_text_and_cuts_to_the_length() -> None:
    tokenizer = sentencepiece()
    plain = tokenizer("the dog ran", add_special_tokens=False)["input_ids"]
    assert encode(tokenizer, "the dog ran") == [tokenizer.bos_token_id, *plain]
    assert encode(tokenizer, "the dog ran", 2) == [tokenizer.bos_token_id, plain[0]]
    assert encode(sentencepiece(bos=False), "the dog ran", 2) == plain_ids(sentencepiece(bos=False), "the dog ran")[:2]


def plain_ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def test_tokenize_gives_the_whole_text_as_one_sequence() -> None:
    sequence = tokenize(byte_level_bpe(), "the dog ran")
    assert list(sequence.ids) == encode(byte_level_bpe(), "the dog ran")
    assert "".join(sequence.text.surfaces[1:]) == "the dog ran"


@pytest.mark.parametrize("text", ["", "\n"])
def test_tokenize_of_less_than_two_tokens_is_refused(text: str) -> None:
    with pytest.raises(CorpusError, match="tokens") as caught:
        tokenize(byte_level_bpe(bos=False), text)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_parts_shrink_where_documents_are_few() -> None:
    corpus = built(stories(9), Sizes(length=8))
    assert {part: len(corpus[part]) for part in PARTS} == {"fit": 5, "dev": 2, "held-out": 2}


def test_copies_are_left_out_and_counted() -> None:
    corpus = built([*stories(8), *stories(3), " " + stories(1)[0] + "\n"], Sizes(length=8))
    assert corpus.copies == 4
    assert len(corpus.all()) == len(set(corpus.all())) == 8


def test_short_documents_are_left_out_and_counted() -> None:
    corpus = built([*stories(20), *(f"s{k}" for k in range(20))], Sizes(length=20))
    assert corpus.too_short == 20
    assert len(corpus.all()) == 20


@pytest.mark.parametrize(
    "sizes", [Sizes(length=8), Sizes(2, 1, 1, 8), Sizes(1, 9, 2, 8), Sizes(length=14), Sizes(3, 3, 3, 20)]
)
def test_document_never_moves_between_parts_with_sizes_and_length(sizes: Sizes) -> None:
    documents = [*stories(40), *(f"{k}: x y z" for k in range(100, 120))]
    everything = built(documents, Sizes(40, 40, 40, 6))
    corpus = built(documents, sizes)
    for part in PARTS:
        assert begins(corpus, part)
        assert begins(corpus, part) <= begins(everything, part)


def test_parts_share_no_document() -> None:
    corpus = built(stories(40), Sizes(length=8))
    parts = [begins(corpus, part) for part in PARTS]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 40


def test_order_of_the_documents_does_not_matter() -> None:
    assert built(stories(20)).parts == built(stories(20)[::-1]).parts


def test_documents_beyond_the_limit_are_not_read() -> None:
    def endless() -> Iterator[str]:
        yield from (f"{k} the dog and the girl" for k in range(MOST_DOCUMENTS))
        raise AssertionError

    assert len(built(endless()).all()) == 8


# Fingerprint and dict form


def test_fingerprint_is_the_same_for_the_same_sequences_whatever_the_name() -> None:
    assert built(stories(20), name="a").fingerprint == built(stories(20), name="b").fingerprint
    assert len(built(stories(20)).fingerprint) == 16


def test_fingerprint_changes_with_documents_sizes_length_seed_and_tokenizer() -> None:
    corpora = [
        built(stories(20)),
        built([*stories(20)[1:], "99: the girl and the dog ran home and home."], Sizes(length=8)),
        built(stories(20), dataclasses.replace(TINY, dev=1)),
        built(stories(20), dataclasses.replace(TINY, length=9)),
        built(stories(20), seed=1),
        build_corpus(stories(20), byte_level_bpe(bos=False), TINY),
        build_corpus(stories(20), sentencepiece(), TINY),
    ]
    assert len({corpus.fingerprint for corpus in corpora}) == len(corpora)


@pytest.mark.parametrize("part", PARTS)
def test_fingerprint_changes_with_one_token_or_one_surface_of_any_part(part: Part) -> None:
    corpus = built(stories(20))
    first, *others = corpus[part]
    for changed in (
        dataclasses.replace(first, ids=(*first.ids[:-1], first.ids[-1] + 1)),
        dataclasses.replace(first, text=Text(("", *first.text.surfaces[1:]), first.text.special)),
    ):
        other = dataclasses.replace(corpus, parts={**corpus.parts, part: (changed, *others)})
        assert other.fingerprint != corpus.fingerprint


def test_fingerprint_changes_when_sequences_change_parts() -> None:
    corpus = built(stories(20))
    swapped = dataclasses.replace(corpus, parts={**corpus.parts, "dev": corpus["held-out"], "held-out": corpus["dev"]})
    assert swapped.fingerprint != corpus.fingerprint


def test_dict_form_counts_the_parts_and_what_was_left_out() -> None:
    corpus = built([*stories(20), stories(1)[0]], name="mine")
    assert json.loads(json.dumps(corpus.as_dict())) == {
        "name": "mine",
        "fit": 4,
        "dev": 2,
        "held_out": 2,
        "length": 8,
        "too_short": 0,
        "copies": 1,
    }


def test_bundled_corpus_fills_the_default_sizes() -> None:
    corpus = build_corpus(read_documents("bundled"), byte_level_bpe(), name="bundled")
    assert [len(corpus[part]) for part in PARTS] == [64, 32, 32]
