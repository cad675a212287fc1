"""What a program file consists of, for outlines, and what of it folds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from readhead.program import find_nodes, metadata_block, node_text, syntax_tree
from readhead_server.documents import Document

if TYPE_CHECKING:
    from tree_sitter import Node


def document_symbols(document: Document) -> list[lsp.DocumentSymbol]:
    """The metadata, constants, helpers and `head`, in reading order."""
    found = [*_metadata(document)]
    for node in syntax_tree(document.source).children:
        name = _defined(node)
        if name is not None:
            found.append(_symbol(document, node, name))
    return sorted(found, key=lambda symbol: (symbol.range.start.line, symbol.range.start.character))


def _metadata(document: Document) -> list[lsp.DocumentSymbol]:
    block = metadata_block(document.source)
    if block is None:
        return []
    lines = document.lines
    span = lines.range(lines.at(block.start()), lines.at(block.end()))
    told = ", ".join([*document.heads, document.program.metadata.category])
    return [lsp.DocumentSymbol("metadata", lsp.SymbolKind.Namespace, span, lines.line_range(span.start.line), told)]


def _defined(node: Node) -> Node | None:
    """The name that a statement of the module defines."""
    if node.type == "function_definition":
        return node.child_by_field_name("name")
    if node.type == "expression_statement" and node.children[0].type == "assignment":
        left = node.children[0].child_by_field_name("left")
        return left if left is not None and left.type == "identifier" else None
    return None


def _symbol(document: Document, node: Node, name: Node) -> lsp.DocumentSymbol:
    label, detail = node_text(name), ""
    kind = lsp.SymbolKind.Function if node.type == "function_definition" else lsp.SymbolKind.Constant
    if kind == lsp.SymbolKind.Function:
        parameters = node.child_by_field_name("parameters")
        detail = document.program.explanation if label == "head" else node_text(parameters) if parameters else ""
    return lsp.DocumentSymbol(label, kind, _range(document, node), _range(document, name), detail)


def _range(document: Document, node: Node) -> lsp.Range:
    lines = document.lines
    return lines.range(lines.of_bytes(node.start_byte), lines.of_bytes(node.end_byte))


def folding_ranges(document: Document) -> list[lsp.FoldingRange]:
    """The docstring, the metadata, and everything with a body of its own; only what has several lines."""
    comment, region = lsp.FoldingRangeKind.Comment, lsp.FoldingRangeKind.Region
    found: set[tuple[int, int, lsp.FoldingRangeKind]] = set()
    block = metadata_block(document.source)
    if block is not None:
        found.add((document.lines.at(block.start())[0], document.lines.at(block.end())[0], comment))
    root = syntax_tree(document.source)
    if document.docstring_span is not None:
        first, last = (document.lines.at(offset)[0] for offset in document.docstring_span)
        found.add((first, last, comment))
    for node in find_nodes(root, "[(function_definition) (if_statement) (for_statement) (while_statement)] @folds"):
        found.add((*_rows(node), region))
    for node in find_nodes(root, "(module (expression_statement (assignment)) @folds)"):
        found.add((*_rows(node), region))
    return [lsp.FoldingRange(first, last, kind=kind) for first, last, kind in sorted(found) if last > first]


def _rows(node: Node) -> tuple[int, int]:
    return node.start_point.row, node.end_point.row
