"""What is known of a document, by the text that it was measured on."""

from __future__ import annotations

from dataclasses import dataclass, field

from readhead.engine import Blame, Impacted, Scored
from readhead_server.documents import Document


@dataclass
class Annotations:
    """Of one document; what belongs to another text than the document's is stale."""

    stamp: str = ""
    """Of the text that `scores` are of."""
    scores: dict[str, Scored] = field(default_factory=dict)
    """By head."""
    impacts: dict[str, Impacted] = field(default_factory=dict)
    """By head; each has its own stamp."""
    refused: dict[str, str] = field(default_factory=dict)
    """By head: why the program may not stand in for it."""
    blames: dict[str, list[Blame]] = field(default_factory=dict)
    """By head."""
    blame_stamp: str = ""
    other: Scored | None = None
    """The best other head that the program explains."""
    board: dict[str, str] = field(default_factory=dict)
    """Heads in program mode now, each with the stamp of the program's text."""
    error: str = ""
    """Why nothing could be measured."""

    def is_current(self, document: Document) -> bool:
        """Whether the scores are those of the document's text."""
        return bool(self.stamp) and self.stamp == document.stamp

    def impact(self, document: Document, head: str) -> tuple[Impacted | None, bool]:
        """A head's impact, and whether it is that of the document's text."""
        found = self.impacts.get(head)
        return found, found is not None and found.stamp["text"] == document.stamp

    def blame(self, document: Document) -> dict[str, list[Blame]]:
        """What is current of it: places in another text mean nothing."""
        return self.blames if self.blame_stamp == document.stamp else {}
