"""A finding: one thing wrong with a program's text, at a place in it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, order=True)
class Finding:
    """One thing wrong with a program file. Findings are data: checking returns all of them, in reading order."""

    line: int
    """From 1."""
    column: int
    """From 1, in characters (code points) of the line."""
    code: str
    """Stable: RH20x the file's form, RH21x its metadata, RH22x what the language does not allow."""
    message: str
    """What is wrong, in one line."""
    hint: str = ""
    """What to do about it, in one line; may be empty."""
    instead: str = field(default="", compare=False)
    """What to write for the name at the place, where one name cures it; for editors."""

    def __str__(self) -> str:
        cure = f" ({self.hint})" if self.hint else ""
        return f"{self.line}:{self.column}: {self.code} {self.message}{cure}"
