"""Programs of additive form: softmax of a weighted sum of terms, taken apart and put together again.

`head` ends in its only `return`, of `softmax(…)` of a chain of + and -. Each summand of that chain is

1. a *term* with a literal constant among its factors, `2.5 * s.first` or `s.first * 2.5`: its weight may be fitted;
2. or has none, such as `s.distance / 8` or `3.0` alone: its weight is 1 or -1, and stays.

Whatever stands before the return may be anything that does not return itself. Nothing is run here: a summand's values
come from a program of its own, in the sandbox. A summand may change what the next one sees, so whoever relies on the
form has to compare the weighted sum with the program's own prediction.
"""

from __future__ import annotations

import ast
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from readhead.program import Program, find_nodes, node_text, syntax_tree
from readhead.synthesis.literals import Constant, with_values

if TYPE_CHECKING:
    from tree_sitter import Node

_FUNCTION = "softmax"


class NotAdditive(Exception):  # noqa: N818 - a finding about a program, caught by whoever asks; the reason is its text
    """Why a program is not of additive form, in words."""


@dataclass(frozen=True)
class Summand:
    """One part of the sum."""

    weight: float
    """With the sign of its operator; 1 or -1 where it has no constant."""
    source: str
    """A program that returns the summand's values, `[n, n]` or what broadcasts to it, with the weight 1."""
    constant: Constant | None
    """The literal that holds the weight; None where there is none."""
    sign: int
    """Of the operators before it: 1 or -1, so that the weight is the constant's value times this."""


@dataclass(frozen=True)
class Additive:
    """A program as a sum: its prediction is the softmax, over the keys up to the query, of Σ weight · values."""

    program: Program
    summands: tuple[Summand, ...]
    """In reading order."""

    @property
    def terms(self) -> tuple[Summand, ...]:
        """The summands whose weights may be fitted."""
        return tuple(summand for summand in self.summands if summand.constant is not None)

    def with_weights(self, weights: Sequence[float]) -> str:
        """The program's text with other weights of its terms, finite ones; not another byte of it changes.

        A weight that is the term's own leaves its digits as they are. Where a weight changes its sign, the constant
        has it: `- 3.0 * x` becomes `- -2.0 * x`.
        """
        terms = self.terms
        constants = [summand.constant for summand in terms if summand.constant is not None]
        values = [summand.sign * weight for summand, weight in zip(terms, weights, strict=True)]
        return with_values(self.program.source, constants, values)


def additive_form(program: Program) -> Additive:
    """A program taken apart into its summands.

    Raises:
        NotAdditive: with the reason, if it has another form, or findings.
    """
    if program.findings:
        raise NotAdditive(f"it may not be run: {program.findings[0].message}")
    root = syntax_tree(program.source)
    call = _returned_softmax(root)
    summands = tuple(_summand(program.source, call, node, sign) for node, sign in _summands(_argument(call), 1))
    return Additive(program, summands)


# The form


def _returned_softmax(root: Node) -> Node:
    """The call in `return softmax(…)`, the one way out of `head`."""
    heads = [node for node in root.children if node.type == "function_definition" and _name(node) == "head"]
    if len(heads) != 1:
        raise NotAdditive("`head` is not one plain function")
    body = heads[0].child_by_field_name("body")
    returns = [node for node in find_nodes(heads[0], "(return_statement) @return") if _function_of(node) == heads[0]]
    if body is None or len(returns) != 1 or returns[0] != _code(body)[-1]:
        raise NotAdditive("`head` returns from more than one place, or not at its end")
    found = _without_parentheses(_code(returns[0])[0]) if _code(returns[0]) else None
    function = found.child_by_field_name("function") if found is not None and found.type == "call" else None
    if found is None or function is None or node_text(function) != _FUNCTION:
        raise NotAdditive("it does not return `softmax(…)` of a sum")
    if _is_rebound(root):
        raise NotAdditive("its `softmax` may be another one than the language's")
    return found


def _is_rebound(root: Node) -> bool:
    """Whether `softmax` stands anywhere but where it is called or imported from the language."""
    for node in find_nodes(root, "(identifier) @name"):
        parent = node.parent
        if node_text(node) != _FUNCTION or parent is None:
            continue
        if parent.type == "call" and node == parent.child_by_field_name("function"):
            continue
        imported = parent.parent if parent.type == "dotted_name" else None
        module = imported.child_by_field_name("module_name") if imported is not None else None
        if module is None or node_text(module) != "readhead.language":
            return True
    return False


def _argument(call: Node) -> Node:
    """What is added up: the one argument."""
    listed = call.child_by_field_name("arguments")
    arguments = _code(listed) if listed is not None and listed.type == "argument_list" else []
    if len(arguments) != 1 or arguments[0].type in {"keyword_argument", "list_splat", "dictionary_splat"}:
        raise NotAdditive("its `softmax` is not given one plain sum")
    return arguments[0]


def _summands(node: Node, sign: int) -> Iterator[tuple[Node, int]]:
    """The summands of a sum in reading order, each with the sign that the operators before it give it."""
    node = _without_parentheses(node)
    operator, left, right = _operation(node)
    if operator in {"+", "-"} and right is not None:
        if left is not None:
            yield from _summands(left, sign)
        yield from _summands(right, sign if operator == "+" else -sign)
    else:
        yield node, sign


def _summand(source: str, call: Node, node: Node, sign: int) -> Summand:
    literal = _constant_factor(node) if _operation(node)[0] else None
    if literal is None:
        return Summand(float(sign), _program_of(source, call, node, None), None, sign)
    constant = Constant(
        literal.start_byte, literal.end_byte, literal.start_point.row + 1, _value(literal) or 0.0, is_base=False
    )
    return Summand(sign * constant.value, _program_of(source, call, node, literal), constant, sign)


def _constant_factor(node: Node) -> Node | None:
    """The first literal, with its sign, that the rest of a product is multiplied by; None if there is none."""
    node = _without_parentheses(node)
    operator, left, right = _operation(node)
    if operator in {"*", "/"} and left is not None and right is not None:
        found = _constant_factor(left)
        return found or (_constant_factor(right) if operator == "*" else None)
    return node if _value(node) is not None else None


def _operation(node: Node) -> tuple[str, Node | None, Node | None]:
    """Operator, left and right operand of an operation; of a unary one the right operand only."""
    operator = node.child_by_field_name("operator")
    if operator is None or node.type not in {"binary_operator", "unary_operator"}:
        return "", None, None
    return (
        operator.type,
        node.child_by_field_name("left"),
        node.child_by_field_name("right" if node.type == "binary_operator" else "argument"),
    )


def _value(node: Node) -> float | None:
    """Of a literal, with or without a minus sign; None for whatever else, and for what is no finite real number."""
    operator, left, argument = _operation(node)
    if operator == "-" and left is None and argument is not None and argument.type in {"integer", "float"}:
        value = _value(argument)
        return None if value is None else -value
    if node.type not in {"integer", "float"}:
        return None
    try:
        number = ast.literal_eval(node_text(node))
        value = float(number) if isinstance(number, int | float) else math.inf
    except (SyntaxError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def _without_parentheses(node: Node) -> Node:
    while node.type == "parenthesized_expression" and _code(node):
        node = _code(node)[0]
    return node


def _code(node: Node) -> list[Node]:
    """The named children that are no comments."""
    return [child for child in node.named_children if child.type != "comment"]


def _name(function: Node) -> str:
    name = function.child_by_field_name("name")
    return node_text(name) if name is not None else ""


def _function_of(node: Node) -> Node | None:
    """The function that a statement belongs to."""
    around = node.parent
    while around is not None and around.type != "function_definition":
        around = around.parent
    return around


# One summand as a program


def _program_of(source: str, call: Node, summand: Node, literal: Node | None) -> str:
    """The program with one summand in place of `softmax(…)`, its literal as 1.0, and without what that does not use.

    Leaving that out makes one text, and one run, of the terms that many programs share.
    """
    text = source.encode()
    if literal is None:
        alone = text[summand.start_byte : summand.end_byte]
    else:
        alone = text[summand.start_byte : literal.start_byte] + b"1.0" + text[literal.end_byte : summand.end_byte]
    return _without_unused((text[: call.start_byte] + b"(" + alone + b")" + text[call.end_byte :]).decode())


def _without_unused(source: str) -> str:
    """A program without comments and docstring, and without the assignments of names that it does not use."""
    while True:
        root = syntax_tree(source)
        uses = Counter(node_text(node) for node in find_nodes(root, "(identifier) @name"))
        dropped = find_nodes(root, "(comment) @dropped")
        dropped += [node for node in root.children if node.type == "expression_statement" and _says_nothing(node, uses)]
        if not dropped:
            return source
        text = source.encode()
        for node in sorted(dropped, key=lambda node: -node.start_byte):
            text = text[: node.start_byte] + text[node.end_byte :]
        source = "\n".join(line.rstrip() for line in text.decode().split("\n") if line.strip())


def _says_nothing(statement: Node, uses: Counter[str]) -> bool:
    """A string alone, or `NAME = …` with the name nowhere else."""
    child = statement.children[0]
    if child.type != "assignment":
        return child.type == "string"
    left = child.child_by_field_name("left")
    return left is not None and left.type == "identifier" and uses[node_text(left)] == 1
