"""The constants in a program's text: which numeric literals may move, and how other values are written in.

1. A line is marked by a comment behind its code with the word `free` in it: `3.0 * s.key.is_comma,  # free: commas`.
   On marked lines all floats are free, and those integers that are operands of + - * / or of a comparison, or the
   width of `decay`.
2. Where no line is marked, all floats in function bodies are free, but for guards such as 1e-9 and 1e9.
3. What is structure is never free: whatever stands in an argument of `previous`, `within`, `words_back` or `range`,
   in a subscript, a keyword argument, a default value, a string, a type or a `case`, and an integer in an exponent.

A float is a literal with a point or an exponent. A minus sign right before a literal is part of its value; one between
two operands is not, so `a - 3.0 * b` has the constant 3.0 and becomes `a - -2.0 * b` where that changes its sign.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from readhead.program import find_nodes, node_text, syntax_tree

if TYPE_CHECKING:
    from tree_sitter import Node

_MARK = re.compile(r"\bfree\b")
_COUNTING = frozenset({"previous", "within", "words_back", "range"})
"""Functions whose arguments are numbers of tokens, words or turns."""
_SETTLED = frozenset(
    {"string", "type", "keyword_argument", "default_parameter", "typed_default_parameter", "case_pattern"}
)
"""Whatever stands in these is structure."""
_ARITHMETIC = frozenset("+-*/")
_SMALLEST, _LARGEST = 1e-5, 1e5
"""A float nearer to zero or farther from it guards against a division by zero, or masks."""


@dataclass(frozen=True)
class Constant:
    """A literal that may move."""

    start: int
    """Its first byte in the text in UTF-8, that of its sign where it has one."""
    end: int
    """The byte behind it."""
    line: int
    """From 1."""
    value: float
    is_base: bool = False
    """It is raised to a power, so that a sign of its own would come after the power, and stands in parentheses."""


def free_constants(source: str) -> list[Constant]:
    """The literals of a program's text that may move, in reading order, by the rule of this module."""
    root = syntax_tree(source)
    literals = [literal for literal in find_nodes(root, "[(integer) (float)] @literal") if not _is_structure(literal)]
    marked = _marked_rows(root, source.encode())
    if marked:
        free = [x for x in literals if x.start_point.row in marked and (x.type == "float" or _is_operand(x))]
    else:
        free = [x for x in literals if x.type == "float" and _is_in_function(x) and not _is_guard(x)]
    return [_constant(literal) for literal in free if _value(literal) is not None]


def with_values(source: str, constants: Sequence[Constant], values: Sequence[float]) -> str:
    """The text with other values in the places of its constants, finite ones; not another byte of it changes.

    A value that is the constant's own leaves its digits as they are; any other is written as a float.
    """
    text = source.encode()
    for constant, value in sorted(zip(constants, values, strict=True), key=lambda pair: -pair[0].start):
        if value != constant.value:
            text = text[: constant.start] + _written(text, constant, value).encode() + text[constant.end :]
    return text.decode()


def _marked_rows(root: Node, text: bytes) -> set[int]:
    """The rows, from 0, with a comment behind their code that says `free`."""
    return {
        comment.start_point.row
        for comment in find_nodes(root, "(comment) @comment")
        if _MARK.search(node_text(comment))
        and text[text.rfind(b"\n", 0, comment.start_byte) + 1 : comment.start_byte].strip()
    }


def _written(text: bytes, constant: Constant, value: float) -> str:
    digits = repr(float(value) + 0.0)  # never -0.0
    if constant.is_base and value < 0:
        return f"({digits})"
    before = text[: constant.start].decode()[-1:]
    return f" {digits}" if digits[0] != "-" and before.isidentifier() else digits  # `return-1.0` had no need of a space


def _constant(literal: Node) -> Constant:
    signed = _signed(literal)
    value = _value(literal) or 0.0
    return Constant(
        start=signed.start_byte,
        end=signed.end_byte,
        line=literal.start_point.row + 1,
        value=value if signed is literal else -value,
        is_base=_is_base(signed),
    )


def _value(literal: Node) -> float | None:
    """None for what is no finite real number."""
    try:
        number = ast.literal_eval(node_text(literal))
        value = float(number) if isinstance(number, int | float) else math.inf
    except (SyntaxError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def _signed(literal: Node) -> Node:
    """The literal with the minus sign right before it, where it has one."""
    parent = literal.parent
    if parent is None or parent.type != "unary_operator":
        return literal
    sign = node_text(parent).removesuffix(node_text(literal))
    return parent if sign.rstrip(" ") == "-" else literal


def _ancestors(node: Node) -> Iterator[tuple[Node, Node]]:
    """The nodes around `node`, from the inside out, each with its child on the way."""
    child, parent = node, node.parent
    while parent is not None:
        yield parent, child
        child, parent = parent, parent.parent


def _is_structure(literal: Node) -> bool:
    return any(
        parent.type in _SETTLED
        or (parent.type == "subscript" and child != parent.child_by_field_name("value"))
        or (child.type == "argument_list" and _called(parent) in _COUNTING)
        or (literal.type == "integer" and _is_exponent(parent, child))
        for parent, child in _ancestors(literal)
    )


def _called(call: Node) -> str:
    """The name of what is called: `within` of `s.within(3)`."""
    function = call.child_by_field_name("function")
    return node_text(function).rpartition(".")[2] if function else ""


def _operator(node: Node) -> str:
    operator = node.child_by_field_name("operator")
    return operator.type if operator else ""


def _is_exponent(parent: Node, child: Node) -> bool:
    return _operator(parent) in {"**", "**="} and child == parent.child_by_field_name("right")


def _is_base(node: Node) -> bool:
    parent = node.parent
    return parent is not None and _operator(parent) == "**" and node == parent.child_by_field_name("left")


def _is_operand(literal: Node) -> bool:
    """Whether an integer is a number to reckon or to compare with."""
    for parent, child in _ancestors(literal):
        if parent.type == "parenthesized_expression" or (
            parent.type == "unary_operator" and _operator(parent) in _ARITHMETIC
        ):
            continue
        if parent.type == "argument_list":
            return parent.parent is not None and _called(parent.parent) == "decay"
        return parent.type == "comparison_operator" or (
            parent.type in {"binary_operator", "augmented_assignment"}
            and _operator(parent).removesuffix("=") in _ARITHMETIC
            and child != parent.child_by_field_name("operator")
        )
    return False


def _is_in_function(literal: Node) -> bool:
    return any(
        parent.type in {"function_definition", "lambda"} and child == parent.child_by_field_name("body")
        for parent, child in _ancestors(literal)
    )


def _is_guard(literal: Node) -> bool:
    value = _value(literal)
    return bool(value) and not _SMALLEST <= abs(value or 0.0) <= _LARGEST
