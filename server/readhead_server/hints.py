"""Inlay hints: behind each term and statement, the IoU that is lost without it."""

from __future__ import annotations

from lsprotocol import types as lsp

from readhead_server.annotations import Annotations
from readhead_server.documents import Document


def inlay_hints(document: Document, annotations: Annotations, wanted: lsp.Range) -> list[lsp.InlayHint]:
    """Blame on the document's first head, or each of them where they are several; only of the current text."""
    blames = annotations.blame(document)
    hints: dict[tuple[int, int], list[str]] = {}
    for head, parts in blames.items():
        for part in parts:
            label = f"{-part.loss:+z.2f}".replace("-", "−")
            hints.setdefault((part.end[0], part.end[1]), []).append(label if len(blames) == 1 else f"{head} {label}")
    found = []
    for (line, column), labels in sorted(hints.items()):
        if wanted.start.line <= line <= wanted.end.line:
            found.append(
                lsp.InlayHint(
                    position=document.lines.position(line, column),
                    label=" ".join(labels),
                    padding_left=True,
                    tooltip="IoU (dev) that the program loses without this part",
                )
            )
    return found
