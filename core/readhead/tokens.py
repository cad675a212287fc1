"""Token ids to surfaces: what a reader sees of each token, whatever marks the tokenizer writes.

Byte-level BPE (`Ġthe`), SentencePiece (`▁the`, `<0x0A>`) and WordPiece (`the`, `##ing`) all become the same
*surfaces*: the token's own text, with one leading space where the token begins after a space. Each token is read alone,
so that a surface never depends on later tokens; bytes that are no character of their own read `<0xE2>`.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class Tokenizer(Protocol):
    """The part of a Hugging Face tokenizer that Readhead reads."""

    @property
    def all_special_ids(self) -> list[int]: ...  # noqa: D102 - Hugging Face's own
    def get_vocab(self) -> dict[str, int]: ...  # noqa: D102
    def convert_ids_to_tokens(self, ids: list[int]) -> Any: ...  # noqa: ANN401, D102 - a list of str, typed loosely there


@dataclass(frozen=True)
class Text:
    """One sequence as a program sees it: pure text, no ids."""

    surfaces: tuple[str, ...]
    """One string a token: its text, with a leading space where a space came before."""
    special: frozenset[int] = field(default_factory=frozenset)
    """Positions of special tokens."""

    def __len__(self) -> int:
        return len(self.surfaces)

    def cut(self, length: int) -> Text:
        """The first `length` tokens."""
        return Text(self.surfaces[:length], frozenset(i for i in self.special if i < length))


class TokenReader:
    """Reads the token ids of one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._special = set(tokenizer.all_special_ids)
        self._surface = _surface_by_marks(tokenizer.get_vocab())

    def read(self, ids: Sequence[int]) -> Text:
        """The text of a sequence of token ids."""
        names = self._tokenizer.convert_ids_to_tokens(list(ids))
        return Text(
            tuple(n if i in self._special else self._surface(n) for i, n in zip(ids, names, strict=True)),
            frozenset(position for position, i in enumerate(ids) if i in self._special),
        )


def _surface_by_marks(vocabulary: Iterable[str]) -> Callable[[str], str]:
    """The way to read a token's name, by the marks that most names of the vocabulary begin with."""
    marks = Counter(mark for name in vocabulary for mark in _READ_BY_MARK if name.startswith(mark))
    return _READ_BY_MARK[marks.most_common(1)[0][0]] if marks else str


def _byte_level(name: str) -> str:
    table = _byte_of()
    if not all(character in table for character in name):
        return name  # a token added to the vocabulary as plain text
    return _decode(table[character] for character in name)


def _sentencepiece(name: str) -> str:
    match = _BYTE_TOKEN.fullmatch(name)
    return _decode([int(match[1], 16)]) if match else name.replace("▁", " ")


def _wordpiece(name: str) -> str:
    return name.removeprefix("##") if name.startswith("##") else " " + name


def _decode(values: Iterable[int]) -> str:
    text = bytes(values).decode("utf-8", "surrogateescape")
    return "".join(f"<0x{ord(c) - 0xDC00:02X}>" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in text)  # noqa: PLR2004


@functools.cache
def _byte_of() -> dict[str, int]:
    """The printable stand-in for every byte in byte-level BPE: printable Latin-1 is itself, the rest follows 256."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [value for value in range(256) if value not in printable]
    return {chr(value): value for value in printable} | {chr(256 + k): value for k, value in enumerate(others)}


_READ_BY_MARK: Mapping[str, Callable[[str], str]] = {"Ġ": _byte_level, "▁": _sentencepiece, "##": _wordpiece}
