"""Changes of a document, as clients take them: small, and for one version only."""

from __future__ import annotations

from lsprotocol import types as lsp

from readhead_server.documents import Document


def text_edit(document: Document, source: str) -> lsp.TextEdit:
    """The one smallest edit that makes the document read `source`."""
    old = document.source
    start = 0
    while start < min(len(old), len(source)) and old[start] == source[start]:
        start += 1
    end = 0
    while end < min(len(old), len(source)) - start and old[-1 - end] == source[-1 - end]:
        end += 1
    lines = document.lines
    span = lines.range(lines.at(start), lines.at(len(old) - end))
    return lsp.TextEdit(span, source[start : len(source) - end])


def workspace_edit(document: Document, source: str) -> lsp.WorkspaceEdit:
    """The same, refused by the client where the document has changed meanwhile."""
    identifier = lsp.OptionalVersionedTextDocumentIdentifier(uri=document.uri, version=document.version)
    return lsp.WorkspaceEdit(document_changes=[lsp.TextDocumentEdit(identifier, [text_edit(document, source)])])
