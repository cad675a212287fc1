"""One left-to-right reading of a sequence: its words, sentences, clauses and quotations.

Everything here is strictly causal: what stands at position j was decided from tokens 0..j. A word is therefore the
word *so far*: at the first piece of `lay|er` it is `lay`. `readhead.language` turns this into features.

A *surface* is a token's text with its tokenizer's marks removed, and with one leading space where the token begins
after a space (see `readhead.tokens`); a byte that is no character of its own reads `<0xE2>`. The reader puts such bytes
together: the character is known at its last byte, and up to there it is part of the word that it touches.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

STOPS = frozenset(".?!…。！？")
CLAUSE_MARKS = frozenset(",;:—–")
_OPENING, _CLOSING, _STRAIGHT = "“«", "”»", '"'
_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
_APOSTROPHES = "'’"


@dataclass(frozen=True)
class Reading:
    """What a reader knows of each token when it arrives; every field has one entry a token."""

    surfaces: tuple[str, ...]
    """The token as it came."""
    tokens: tuple[str, ...]
    """The text of the token without the space before it."""
    characters: tuple[str, ...]
    """The same, with bytes put together: a character stands at its last byte; "" at special tokens."""
    special: tuple[bool, ...]
    """Begin-of-sequence and other marks that are no text."""
    punctuation: tuple[bool, ...]
    """No letter and no digit in it, and not blank."""
    word: tuple[str, ...]
    """The word so far, lower case, straight apostrophes; "" at special and blank tokens, and before a first
    character is whole."""
    capital: tuple[bool, ...]
    """The word so far begins with an upper-case letter."""
    word_index: tuple[int, ...]
    """Number of the word; punctuation marks and special tokens are words of their own. A space that stands alone
    belongs to what it precedes."""
    sentence_index: tuple[int, ...]
    clause_index: tuple[int, ...]
    paragraph_index: tuple[int, ...]
    """Blocks of text parted by line breaks; the break belongs to the block that it ends."""
    quote_index: tuple[int, ...]
    """Number of the quotation that the token stands in, its marks included; 0 outside."""
    opens_quote: tuple[bool, ...]
    closes_quote: tuple[bool, ...]


def read(surfaces: Sequence[str], special: Collection[int] = ()) -> Reading:
    """Read `surfaces`; `special` holds the positions of special tokens."""
    reader = _Reader()
    for position, surface in enumerate(surfaces):
        reader.take(surface, special=position in special)
    columns = zip(*reader.rows, strict=True) if reader.rows else ((),) * len(Reading.__dataclass_fields__)
    return Reading(*columns)


class _Reader:
    """The state that one token hands to the next."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str, bool, bool, str, bool, int, int, int, int, int, bool, bool]] = []
        self.decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        self.word = ""
        self.capital = False
        self.joinable = False  # the next unspaced piece may continue the word
        self.words = self.sentences = self.clauses = self.paragraphs = -1
        self.sentence_over = self.clause_over = self.paragraph_over = True
        self.quotes = 0
        self.in_quote = False

    def take(self, surface: str, *, special: bool) -> None:
        text = surface if special else surface.strip(" ")
        characters = self._characters(text, special=special)
        mark = _is_punctuation(characters)
        self._advance_word(surface, characters, special=special, mark=mark)
        opens, closes, inside = self._quote_marks(characters)
        self._advance_blocks(characters, special=special, mark=mark, opens=opens)
        self.rows.append(
            (
                surface,
                text,
                characters,
                special,
                mark,
                self.word,
                self.capital,
                self.words,
                self.sentences,
                self.clauses,
                self.paragraphs,
                self.quotes if inside else 0,
                opens,
                closes,
            )
        )

    def _characters(self, text: str, *, special: bool) -> str:
        """What `text` spells, with the bytes that wait from the tokens before; bytes that make no character vanish."""
        if special:
            self.decoder.reset()
            return ""
        waiting, _ = self.decoder.getstate()
        if not waiting and "<0x" not in text:
            return text
        parts = _BYTE.split(text)  # text, two digits, text, two digits, …
        return self.decoder.decode(
            b"".join(bytes.fromhex(part) if k % 2 else part.encode("utf-8", "replace") for k, part in enumerate(parts))
        )

    def _advance_word(self, surface: str, characters: str, *, special: bool, mark: bool) -> None:
        blank = not surface.strip()
        lone_space = blank and surface.endswith(" ")  # a SentencePiece mark cut off from its word
        touches = self.joinable and not (special or blank or surface[:1].isspace())
        apostrophe = touches and self.word != "" and len(characters) == 1 and characters in _APOSTROPHES
        wordlike = not blank and (not mark or apostrophe)
        if not (touches and (wordlike or self.word == "")):
            self.words += 1
            self.word = ""
            self.capital = False
        if self.word == "":
            self.capital = characters[:1].isupper()
        self.word += characters.strip().lower().replace("’", "'")
        self.joinable = not special and (lone_space or (wordlike and not surface[-1:].isspace()))

    def _quote_marks(self, characters: str) -> tuple[bool, bool, bool]:
        """Whether the token opens a quotation, closes one, and stands in one."""
        opens = closes = False
        inside = self.in_quote
        for character in characters:
            if character in _OPENING or (character == _STRAIGHT and not self.in_quote):
                opens = inside = self.in_quote = True
                self.quotes += 1
            elif character in _CLOSING or character == _STRAIGHT:
                closes = True
                self.in_quote = False
            elif character == "\n":
                self.in_quote = False
        return opens, closes, inside

    def _advance_blocks(self, characters: str, *, special: bool, mark: bool, opens: bool) -> None:
        blank = not (special or characters.strip())
        mere_mark = mark and not (opens or self.paragraph_over)  # it belongs to what came before
        begins = self.sentences < 0 or not (blank or mere_mark)
        goes_on = characters[:1].islower() and not self.paragraph_over
        if self.paragraph_over and begins:
            self.paragraphs += 1
        if self.sentence_over and begins and not goes_on:
            self.sentences += 1
            self.clause_over = True
        if self.clause_over and begins:
            self.clauses += 1
        if begins:
            self.sentence_over = self.clause_over = self.paragraph_over = special
        if "\n" in characters:
            self.sentence_over = self.paragraph_over = True
        if mark and any(character in STOPS for character in characters):
            self.sentence_over = True
        if mark and any(character in CLAUSE_MARKS for character in characters):
            self.clause_over = True


def _is_punctuation(characters: str) -> bool:
    return characters.strip() != "" and not any(character.isalnum() for character in characters)
