"""Documents and annotations for tests of the language server, with no server and no engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from readhead.engine import Blame, Card, Impacted, Scored
from readhead_server.annotations import Annotations
from readhead_server.convert import Units
from readhead_server.documents import Document

if TYPE_CHECKING:
    from lsprotocol import types as lsp

CURSOR = "‸"
PROGRAM = '''"""Look at the last comma."""

# /// script
# [tool.readhead]
# heads = ["L1H3"]
# category = "boundaries"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        6.0 * s.previous(1)  # the token just before
        + 3.0 * s.key.is_comma
    )
'''


def document(source: str = PROGRAM, *, encoding: str = "utf-16", version: int = 7) -> Document:
    path = Path("/nowhere/programs/near.py")
    return Document("file:///nowhere/programs/near.py", version, source, path, Path("/nowhere"), Units(encoding))


def pointed(marked: str, *, encoding: str = "utf-16") -> tuple[Document, lsp.Position]:
    """The document without the cursor's mark, and the mark's position."""
    offset = marked.index(CURSOR)
    opened = document(marked.replace(CURSOR, ""), encoding=encoding)
    return opened, opened.lines.position(*opened.lines.at(offset))


def in_head(line: str) -> str:
    """A program with this line in its head."""
    return f"def head(s):\n    {line}\n"


def scored(opened: Document, head: str = "L1H3", **changes: Any) -> Scored:
    given: dict[str, Any] = {
        "head": head, "stamp": {"text": opened.stamp, "length": 64}, "iou": 0.62, "iou_without_first": 0.6, "jsd": 0.3,
        "trivial": "previous token", "trivial_iou": 0.4, "inactive": False, "coverage": 1.0, "sequences": 32,
    }  # fmt: skip
    return Scored(**given | changes)


def annotated(opened: Document, *scores: Scored, **changes: Any) -> Annotations:
    """Annotations of the document's own text."""
    return Annotations(stamp=opened.stamp, scores={score.head: score for score in scores}, **changes)


def impacted(opened: Document, **changes: Any) -> Impacted:
    given: dict[str, Any] = {
        "stamp": {"text": opened.stamp}, "perplexity": 4.0, "neural_perplexity": 3.9, "increase_percent": 2.5,
        "low": 1.5, "high": 3.5, "preliminary": False, "sequences": 32,
    }  # fmt: skip
    return Impacted(**given | changes)


def blamed(opened: Document, text: str, loss: float, without: str) -> Blame:
    """Blame on the first place of the text."""
    begin = opened.source.index(text)
    return Blame(opened.lines.at(begin), opened.lines.at(begin + len(text)), text, loss, without)


def card(head: str = "L1H3", **changes: Any) -> Card:
    given: dict[str, Any] = {"head": head, "trivial": "first token", "trivial_iou": 0.31, "inactive": False}
    return Card(**given | changes)


def applied(source: str, edits: list[lsp.TextEdit]) -> str:
    """The text after edits in UTF-16 columns, as a client applies them."""
    lines = document(source).lines
    for edit in sorted(edits, key=lambda each: lines.offset(each.range.start), reverse=True):
        start, end = lines.offset(edit.range.start), lines.offset(edit.range.end)
        source = source[:start] + edit.new_text + source[end:]
    return source
