"""Which part of a program earns what: the program again and again, each time without one part.

Parts are the terms of every sum in its functions, and statements that can go: `x += …`, `w[…] = …` and `if` blocks.
What a part earns is the IoU that is lost without it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from readhead.program import find_nodes, node_text, syntax_tree

if TYPE_CHECKING:
    from tree_sitter import Node

_SUMS = frozenset({"+", "-"})
_TRANSPARENT = frozenset({"softmax", "normalize"})


@dataclass(frozen=True)
class Part:
    """A part of a program's text."""

    start: int
    """Its first byte in UTF-8."""
    end: int
    without: str
    """The program's text without it."""


def parts_of(source: str) -> list[Part]:
    """The parts of a program, in reading order; a text without them that is no Python is left out."""
    text = source.encode()
    found = [*_terms(text, source), *_statements(text, source)]
    return sorted((part for part in found if _is_python(part.without)), key=lambda part: (part.start, -part.end))


def _terms(text: bytes, source: str) -> Iterator[Part]:
    root = syntax_tree(source)
    counters = _index_names(root)
    for node in find_nodes(root, "(binary_operator) @sum"):
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or right is None or not _is_sum(node) or not _is_score(node, counters):
            continue
        end = _line_end_after_comment(text, node.end_byte)
        yield _cut(text, right, node.start_byte, _with_comment(text, left), end)
        if not _is_sum(left):  # the first term of its sum
            minus = b"-" if _operator(node) == "-" else b""
            kept = minus + text[right.start_byte : right.end_byte]
            yield _cut(text, left, node.start_byte, kept, node.end_byte)


def _cut(text: bytes, part: Node, start: int, kept: bytes, end: int) -> Part:
    return Part(part.start_byte, part.end_byte, (text[:start] + kept + text[end:]).decode())


def _with_comment(text: bytes, left: Node) -> bytes:
    """What stays on the left of a term that goes, with the comment behind it on its line."""
    line = text[left.end_byte :].split(b"\n", maxsplit=1)[0]
    comment = line if line.lstrip().startswith(b"#") else b""
    return text[left.start_byte : left.end_byte] + comment.rstrip()


def _line_end_after_comment(text: bytes, place: int) -> int:
    """Behind the comment that stands behind `place` on its line, where nothing else does."""
    line = text[place:].split(b"\n", maxsplit=1)[0]
    return place + len(line) if line.lstrip().startswith(b"#") else place


def _statements(text: bytes, source: str) -> Iterator[Part]:
    pattern = """[
        (expression_statement (augmented_assignment)) @part
        (expression_statement (assignment left: (subscript))) @part
        (if_statement) @part
    ]"""
    root = syntax_tree(source)
    counters = _index_names(root)
    for node in find_nodes(root, pattern):
        block = node.parent
        if block is None or block.type != "block" or not _is_in_function(node) or _target(node) in counters:
            continue
        if sum(child.type != "comment" for child in block.named_children) == 1:
            yield _cut(text, node, node.start_byte, b"pass", node.end_byte)
        else:
            start, end = _whole_lines(text, node.start_byte, node.end_byte)
            yield _cut(text, node, start, b"", end)


def _is_in_function(node: Node) -> bool:
    parent = node.parent
    while parent is not None and parent.type != "function_definition":
        parent = parent.parent
    return parent is not None


def _target(statement: Node) -> str:
    """The name that a statement changes; empty where it is no plain name."""
    left = statement.children[0].child_by_field_name("left")
    return node_text(left) if left is not None and left.type == "identifier" else ""


def _index_names(root: Node) -> set[str]:
    """Names that places are counted with: `w[i, j + 1]`."""
    names = set()
    for index in find_nodes(root, "(subscript subscript: (_) @index)"):
        names |= {node_text(name) for name in find_nodes(index, "(identifier) @name") if _is_plain_index(name)}
    return names


def _is_plain_index(name: Node) -> bool:
    """Not what an array of yes and no is made of: `w[w > 0]`, `w[s.is_name > 0]`."""
    parent = name.parent
    while parent is not None and parent.type != "subscript":
        if parent.type in {"comparison_operator", "attribute", "call"}:
            return False
        parent = parent.parent
    return parent is not None


def _whole_lines(text: bytes, start: int, end: int) -> tuple[int, int]:
    """A statement with its lines, where nothing else but a comment stands on them; else with its semicolon."""
    begin = text.rfind(b"\n", 0, start) + 1
    newline = text.find(b"\n", end)
    stop = len(text) if newline < 0 else newline + 1
    behind = text[end:stop].strip()
    if not text[begin:start].strip() and (not behind or behind.startswith(b"#")):
        return begin, stop
    if behind.startswith(b";"):
        after = text.index(b";", end) + 1
        return start, after + len(text[after:stop]) - len(text[after:stop].lstrip(b" "))
    return start, end


def _is_sum(node: Node) -> bool:
    return node.type == "binary_operator" and _operator(node) in _SUMS


def _operator(node: Node) -> str:
    operator = node.child_by_field_name("operator")
    return operator.type if operator else ""


def _is_score(node: Node, counters: set[str]) -> bool:
    """Whether a sum adds up evidence: it is no index nor kept as one, no argument but of `softmax` and `normalize`."""
    parent = node.parent
    while parent is not None and parent.type not in {"function_definition", "module"}:
        if parent.type in {"subscript", "slice", "comparison_operator", "default_parameter"}:
            return False
        if parent.type in {"assignment", "augmented_assignment"}:
            left = parent.child_by_field_name("left")
            if left is not None and left.type == "identifier" and node_text(left) in counters:
                return False
        if parent.type == "argument_list":
            call = parent.parent
            function = call.child_by_field_name("function") if call else None
            name = node_text(function) if function else ""
            if name not in _TRANSPARENT:
                return False
        parent = parent.parent
    return parent is not None and parent.type == "function_definition"


def _is_python(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
