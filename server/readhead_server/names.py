"""Names of the program language in a document: what stands at a place, and what the sentence is called there.

The text may be broken while it is typed; tree-sitter reads it all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from readhead.language import VOCABULARY, Term
from readhead.program import node_text, syntax_tree

if TYPE_CHECKING:
    from tree_sitter import Node

    from readhead_server.documents import Document

SIDES = {term.name.removeprefix("s."): term for term in VOCABULARY if term.kind == "side"}
TERMS: Mapping[str, Term] = {term.name.removeprefix("s.").split("(", maxsplit=1)[0]: term for term in VOCABULARY}
"""By the bare name: `previous`, `is_comma`, `softmax`."""
_HEAD_PARAMETER = re.compile(r"(?m)^def head\(\s*(\w+)")
_ANNOTATED = re.compile(r"\b(\w+)\s*:\s*[\"']?Sentence\b")
_QUOTED = frozenset({"string", "string_content", "string_start", "string_end", "comment"})
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")


@dataclass(frozen=True)
class Named:
    """A name of the language as it stands in a text."""

    term: Term
    side: str
    """`key`, `query` or `word` where the feature is read from one; else empty."""
    start: int
    """Its first byte in UTF-8."""
    end: int
    argument: str = ""
    """The text of the call's first argument; empty where there is none."""

    @property
    def written(self) -> str:
        """As a program that calls its sentence `s` writes it."""
        return with_side(self.term, self.side)

    @property
    def shape(self) -> str:
        """Of what it gives there."""
        return shape_of(self.term, self.side)


def with_side(term: Term, side: str) -> str:
    """`s.key.is_comma` for the feature `s.is_comma` and the side `key`."""
    return term.name.replace("s.", f"s.{side}.", 1) if side else term.name


def shape_of(term: Term, side: str) -> str:
    """A feature has the shape of its side."""
    return SIDES[side].shape if side and term.kind == "feature" else term.shape


def sentence_name(source: str) -> str:
    """What `head` calls its sentence; `s` where that cannot be told."""
    match = _HEAD_PARAMETER.search(source)
    return match[1] if match else "s"


def sentence_names(source: str) -> set[str]:
    """Every name that stands for a sentence: the parameter of `head`, and what is annotated as one."""
    return {sentence_name(source), *_ANNOTATED.findall(source)}


def named_at(document: Document, offset: int) -> Named | None:
    """The name of the language at a place, in characters from the beginning."""
    place = len(document.source[:offset].encode())
    root = syntax_tree(document.source)
    node = root.descendant_for_byte_range(place, place)
    if (node is None or node.type != "identifier") and place > 0:  # right behind a name
        node = root.descendant_for_byte_range(place - 1, place - 1)
    if node is None or node.type != "identifier":
        return None
    return _named(node, sentence_names(document.source))


def _named(node: Node, sentences: set[str]) -> Named | None:
    name, parent = node_text(node), node.parent
    term = TERMS.get(name)
    if term is None:
        return None
    if parent is None or parent.type != "attribute" or parent.child_by_field_name("attribute") != node:
        known = term.kind == "function" and (parent is None or parent.type != "keyword_argument")
        return Named(term, "", node.start_byte, node.end_byte, _argument(node)) if known else None
    owner = parent.child_by_field_name("object")
    if owner is None or term.kind == "function":
        return None
    if node_text(owner) in sentences:
        return Named(term, "", node.start_byte, node.end_byte, _argument(parent))
    first, _, side = node_text(owner).partition(".")
    if first in sentences and side in SIDES and term.kind == "feature":
        return Named(term, side, node.start_byte, node.end_byte, _argument(parent))
    return None


def _argument(function: Node) -> str:
    """The first argument of the call of this function, where it is called."""
    call = function.parent
    if call is None or call.type != "call" or call.child_by_field_name("function") != function:
        return ""
    arguments = call.child_by_field_name("arguments")
    given = arguments.named_children[0] if arguments is not None and arguments.named_children else None
    if given is not None and given.type == "keyword_argument":
        given = given.child_by_field_name("value")
    return node_text(given) if given is not None else ""


def is_quoted(document: Document, offset: int) -> bool:
    """Whether a place is inside a string or a comment."""
    place = len(document.source[:offset].encode())
    if place == 0:
        return False
    node: Node | None = syntax_tree(document.source).descendant_for_byte_range(place - 1, place - 1)
    while node is not None:
        if node.type == "interpolation":  # the code in an f-string
            return False
        if node.type == "comment":
            return True
        if node.type == "string":
            return node.end_byte > place  # behind its last quotation mark it is over
        node = node.parent
    return False


def open_call(document: Document, offset: int) -> Named | None:
    """The innermost call of a name of the language whose parentheses are open at a place."""
    place = len(document.source[:offset].encode())
    before: list[Node] = []
    for leaf in _leaves(syntax_tree(document.source)):
        if leaf.start_byte >= place:
            break
        if leaf.type in _OPENING:
            before.append(leaf)
        elif leaf.type in _CLOSING and before:
            before.pop()
    return next((found for leaf in reversed(before) if (found := _called(document.source, leaf)) is not None), None)


def _called(source: str, parenthesis: Node) -> Named | None:
    """What is called by an opening parenthesis."""
    if parenthesis.type != "(":
        return None
    text = source.encode()[: parenthesis.start_byte].decode()
    match = re.search(r"(?:(\w+)\.)?(?:(\w+)\.)?(\w+)[ \t]*$", text)
    if match is None:
        return None
    owners, name = [owner for owner in match.groups()[:2] if owner], match[3]
    term = TERMS.get(name)
    if term is None or "(" not in term.name:
        return None
    end = parenthesis.start_byte
    if term.kind == "function":
        return None if owners else Named(term, "", end - len(name.encode()), end)
    if not owners or owners[0] not in sentence_names(source):
        return None
    side = owners[1] if len(owners) > 1 else ""
    fits = not side or (side in SIDES and term.kind == "feature")
    return Named(term, side, end - len(name.encode()), end) if fits else None


def _leaves(root: Node) -> Iterator[Node]:
    """In reading order, without what is quoted."""
    stack = [root]
    while stack:
        node = stack.pop()
        if node.type in _QUOTED:
            stack += [child for child in reversed(node.children) if child.type == "interpolation"]
        elif node.children:
            stack += reversed(node.children)
        else:
            yield node
