"""Places in a text, in the client's units. Everything else of the server counts lines and characters (code points).

Clients count columns in UTF-16 units unless something else was agreed on; tree-sitter and `ast` count UTF-8 bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from lsprotocol import types as lsp

_WIDE = 0xFFFF


@dataclass(frozen=True)
class Units:
    """How the client counts columns."""

    encoding: str = "utf-16"

    def width(self, text: str) -> int:
        """Units of a text."""
        if self.encoding == "utf-32":
            return len(text)
        if self.encoding == "utf-8":
            return len(text.encode("utf-8", "surrogatepass"))
        return len(text) + sum(ord(character) > _WIDE for character in text)

    def characters(self, line: str, units: int) -> int:
        """Characters of a line up to so many units; a place inside a character is before it."""
        count = 0
        for place, character in enumerate(line):
            count += self.width(character)
            if count > units:
                return place
        return len(line)


@dataclass(frozen=True)
class Lines:
    """A text's lines, with conversions both ways."""

    text: str
    units: Units

    @cached_property
    def lines(self) -> Sequence[str]:
        """Without their ends; at least one."""
        return self.text.split("\n")

    def position(self, line: int, column: int) -> lsp.Position:
        """Line and column (characters), both from 0, for the client; what is outside of the text is moved into it."""
        lines = self.lines
        row = min(max(line, 0), len(lines) - 1)
        before = lines[row][: max(column, 0)]
        return lsp.Position(row, self.units.width(before))

    def range(self, start: tuple[int, int], end: tuple[int, int]) -> lsp.Range:
        """From one line and column to another."""
        return lsp.Range(self.position(*start), self.position(*end))

    def line_range(self, line: int) -> lsp.Range:
        """A line without its indentation."""
        lines = self.lines
        text = lines[min(max(line, 0), len(lines) - 1)]
        if not text.strip():
            return self.range((line, 0), (line, len(text)))
        return self.range((line, len(text) - len(text.lstrip())), (line, len(text.rstrip())))

    def place(self, position: lsp.Position) -> tuple[int, int]:
        """A client's position as line and column in characters."""
        lines = self.lines
        row = min(position.line, len(lines) - 1)
        return row, self.units.characters(lines[row], position.character)

    def offset(self, position: lsp.Position) -> int:
        """A client's position as a number of characters from the beginning."""
        return self.offset_of(*self.place(position))

    def offset_of(self, line: int, column: int) -> int:
        """A line and column in characters as a number of characters from the beginning."""
        return sum(len(text) + 1 for text in self.lines[:line]) + column

    def at(self, offset: int) -> tuple[int, int]:
        """A number of characters from the beginning as line and column in characters."""
        before = self.text[: max(offset, 0)]
        return before.count("\n"), len(before) - (before.rfind("\n") + 1)

    def of_bytes(self, place: int) -> tuple[int, int]:
        """A place in the text's UTF-8 bytes as line and column in characters."""
        return self.at(len(self.text.encode()[:place].decode(errors="ignore")))

    def whole(self) -> lsp.Range:
        """All of the text."""
        lines = self.lines
        return self.range((0, 0), (len(lines) - 1, len(lines[-1])))
