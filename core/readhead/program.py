"""A program file: its source, its metadata, and what is wrong with it.

Parsing never raises and never runs anything: `parse` reads the text with tree-sitter, which recovers from broken
code, and returns the program with a list of findings.
"""

from __future__ import annotations

import ast
import hashlib
import re
import tomllib
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import tree_sitter_python
from tree_sitter import Language, Node, Parser, Query, QueryCursor

from readhead.errors import ProgramError, UsageError
from readhead.findings import Finding
from readhead.heads import HeadId

Category = Literal[
    "first token",
    "sequential and induction",
    "boundaries",
    "coreference",
    "syntax",
    "word assembly",
    "uniform",
    "mixed",
]
CATEGORIES: tuple[str, ...] = get_args(Category)

_BLOCK = re.compile(r"(?m)^# /// script[ \t]*$\n(?P<body>(?:^#(?:| .*)$\n)*?)^# ///[ \t]*$")
_LARGEST = 64 * 1024


@dataclass(frozen=True)
class Metadata:
    """The `[tool.readhead]` table of a program file."""

    heads: tuple[HeadId, ...] = ()
    """The heads that the program was written for, or is recorded for."""
    category: str = "mixed"
    """One of `CATEGORIES`."""
    recorded: dict[str, Any] | None = None
    """What `readhead record` wrote: fingerprints and held-out scores; None before that."""


@dataclass(frozen=True)
class Program:
    """One program file, parsed."""

    name: str
    """A label, from the file's name; never an identity."""
    source: str
    path: Path | None = None
    explanation: str = ""
    """The docstring's first line."""
    metadata: Metadata = Metadata()
    lines: int = 0
    """Non-blank, non-comment lines outside docstring, imports and metadata."""
    terms: int = 0
    """Additive terms of the score; without a recognisable sum, branches plus returns."""
    set_tokens: int = 0
    """Members of the token sets that the program lists."""
    symbols: int = 0
    """Description length: names, numbers and strings of the code, docstring, imports and metadata left out."""
    findings: tuple[Finding, ...] = ()
    """What is wrong with the file's form; empty for a program that may be run."""

    @property
    def fingerprint(self) -> str:
        """Of the program's code: 16 hexadecimal digits. Comments, metadata and layout do not count."""
        try:
            code = ast.unparse(python_tree(self.source))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            code = self.source
        return hashlib.sha256(code.encode(errors="replace")).hexdigest()[:16]


def read_program(path: str | Path) -> Program:
    """The program in the file `path`.

    Raises:
        ProgramError: if the file cannot be read as UTF-8 text of at most 64 KiB.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
        source = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProgramError(f"{path} is not UTF-8 (byte {error.start})", hint="save it as UTF-8") from error
    except OSError as error:
        raise ProgramError(f"{path} cannot be read: {error.strerror}", hint="name a program file (.py)") from error
    if len(data) > _LARGEST:
        raise ProgramError(f"{path} has {len(data)} bytes", hint=f"a program has at most {_LARGEST}")
    return parse(source.replace("\r\n", "\n"), name=path.stem, path=path)


def parse(source: str, *, name: str = "program", path: Path | None = None) -> Program:
    """Parse the text of a program; whatever is wrong becomes a finding."""
    root = syntax_tree(source)
    docstring = _docstring(root)
    head = _head_function(root)
    metadata, metadata_findings = _read_metadata(source)
    left_out = _rows_that_say_nothing(root)
    findings = [*_syntax_findings(source), *metadata_findings]
    if not any(finding.code == "RH201" for finding in findings):
        findings += _form_findings(head)
    return Program(
        name=name,
        source=source,
        path=path,
        explanation=docstring.strip().split("\n", maxsplit=1)[0].strip(),
        metadata=metadata,
        lines=_count_lines(source, left_out),
        terms=_count_terms(head),
        set_tokens=_count_set_tokens(root),
        symbols=_count_symbols(root, left_out),
        findings=tuple(sorted(findings)),
    )


@cache
def _language() -> Language:
    return Language(tree_sitter_python.language())


@cache
def _query(pattern: str) -> Query:
    return Query(_language(), pattern)


def syntax_tree(source: str) -> Node:
    """The root of a program's syntax tree; its places count the bytes of the text in UTF-8."""
    return Parser(_language()).parse(source.encode(errors="replace")).root_node


def python_tree(source: str) -> ast.Module:
    """Python's own syntax tree, without its warnings, as of an unknown escape, which runs. Raises what it does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def find_nodes(node: Node, pattern: str) -> list[Node]:
    """The nodes under `node` that `pattern` captures, in reading order."""
    captures = QueryCursor(_query(pattern)).captures(node)
    return sorted((found for nodes in captures.values() for found in nodes), key=lambda found: found.start_byte)


def node_text(node: Node) -> str:
    """The text that a node stands for."""
    return (node.text or b"").decode()


# Form


def _docstring(root: Node) -> str:
    statements = [child for child in root.children if child.type != "comment"]
    if statements and statements[0].type == "expression_statement" and statements[0].children[0].type == "string":
        return "".join(node_text(part) for part in statements[0].children[0].children if part.type == "string_content")
    return ""


def _head_function(root: Node) -> Node | None:
    for child in root.children:
        name = child.child_by_field_name("name") if child.type == "function_definition" else None
        if name is not None and node_text(name) == "head":
            return child
    return None


def _syntax_findings(source: str) -> list[Finding]:
    try:
        python_tree(source)
    except SyntaxError as error:
        line, column = error.lineno or 1, error.offset or 1
        return [Finding(line, max(column, 1), "RH201", f"not Python: {error.msg}", "mend the syntax")]
    except (ValueError, RecursionError, MemoryError) as error:
        return [Finding(1, 1, "RH201", f"not Python: {error}", "write a plain text file of Python")]
    return []


def _form_findings(head: Node | None) -> list[Finding]:
    if head is None:
        return [Finding(1, 1, "RH202", "there is no function `head`", "add `def head(s: Sentence):` at the top level")]
    parameters = head.child_by_field_name("parameters")
    named = [child for child in parameters.named_children if child.type != "comment"] if parameters else []
    if len(named) != 1:
        row = head.start_point.row + 1
        return [Finding(row, 1, "RH203", f"`head` takes {len(named)} parameters", "write `def head(s: Sentence):`")]
    return []


# Metadata


def _read_metadata(source: str) -> tuple[Metadata, list[Finding]]:
    blocks = list(_BLOCK.finditer(source))
    if not blocks:
        return Metadata(), []
    line = source.count("\n", 0, blocks[0].start()) + 1
    if len(blocks) > 1:
        return Metadata(), [Finding(line, 1, "RH210", "there are two metadata blocks", "keep one `# /// script` block")]
    try:
        tool = tomllib.loads(metadata_toml(blocks[0])).get("tool", {})
    except tomllib.TOMLDecodeError as error:
        return Metadata(), [Finding(line, 1, "RH211", f"the metadata is not TOML: {error}", "mend the block")]
    return _metadata_of(tool.get("readhead", {}) if isinstance(tool, dict) else tool, line)


def _metadata_of(table: object, line: int) -> tuple[Metadata, list[Finding]]:
    if not isinstance(table, dict):
        return Metadata(), [Finding(line, 1, "RH212", "tool.readhead is not a table", "write `# [tool.readhead]`")]
    findings = [
        Finding(line, 1, "RH213", f"unknown metadata key {key!r}", "known keys: heads, category, recorded")
        for key in table
        if key not in {"heads", "category", "recorded"}
    ]
    category = table.get("category", "mixed")
    if category not in CATEGORIES:
        known = ", ".join(CATEGORIES)
        findings.append(Finding(line, 1, "RH214", f"unknown category {category!r}", f"use one of: {known}"))
        category = "mixed"
    listed = table.get("heads", [])
    heads: list[HeadId] = []
    for item in listed if isinstance(listed, list) else [listed]:
        try:
            heads.append(HeadId.parse(str(item)))
        except UsageError as error:
            findings.append(Finding(line, 1, "RH215", str(error), error.hint))
    recorded = table.get("recorded")
    if recorded is not None and not isinstance(recorded, dict):
        findings.append(Finding(line, 1, "RH216", "`recorded` is not a table", "run `readhead record` again"))
        recorded = None
    return Metadata(tuple(heads), str(category), recorded), findings


def metadata_toml(block: re.Match[str]) -> str:
    """The TOML inside a metadata block."""
    return "\n".join(line[2:] if line.startswith("# ") else line[1:] for line in block["body"].split("\n"))


def metadata_block(source: str) -> re.Match[str] | None:
    """The PEP 723 block of a program's text, or None."""
    return _BLOCK.search(source)


def without_metadata(source: str) -> str:
    """A program's text without its metadata; its docstring and comments may still name heads."""
    block = metadata_block(source)
    bare = source if block is None else source[: block.start()] + source[block.end() :]
    return bare.strip()


# Size


def _count_lines(source: str, left_out: set[int]) -> int:
    """Non-blank, non-comment lines (metadata is comments)."""
    return sum(
        1
        for row, line in enumerate(source.split("\n"))
        if line.strip() and not line.lstrip().startswith("#") and row not in left_out
    )


def _count_symbols(root: Node, left_out: set[int]) -> int:
    symbols = find_nodes(root, "[(identifier) (integer) (float) (string)] @symbol")
    return sum(node.start_point.row not in left_out for node in symbols)


def _rows_that_say_nothing(root: Node) -> set[int]:
    """Of the docstring and of imports."""
    left_out: set[int] = set()
    statements = [child for child in root.children if child.type != "comment"]
    if statements and _docstring(root):
        left_out |= _rows(statements[0])
    for node in find_nodes(root, "[(import_statement) (import_from_statement) (future_import_statement)] @import"):
        left_out |= _rows(node)
    return left_out


def _rows(node: Node) -> set[int]:
    return set(range(node.start_point.row, node.end_point.row + 1))


def _count_terms(head: Node | None) -> int:
    """Terms of the largest sum in `head`; without a sum of two or more, its branches plus returns."""
    if head is None:
        return 0
    sums = _sums(head)
    grown = len(find_nodes(head, '(augmented_assignment operator: ["+=" "-="]) @grown'))
    largest = max([*sums, grown + 1 if grown else 0], default=0)
    if largest > 1:
        return largest
    branches = find_nodes(head, "[(if_statement) (elif_clause) (conditional_expression)] @branch")
    return max(1, len(branches) + len(find_nodes(head, "(return_statement) @return")))


def _is_sum(node: Node) -> bool:
    operator = node.child_by_field_name("operator")
    return node.type == "binary_operator" and operator is not None and operator.type in {"+", "-"}


def _sums(head: Node) -> list[int]:
    """The terms of every sum in `head` that is no part of another; a file may hold one of thousands."""
    sums, counted = [], set[int]()
    nodes = find_nodes(head, "(binary_operator) @sum")
    for node in sorted(nodes, key=lambda node: (node.start_byte, -node.end_byte)):  # the outer before the inner
        if _is_sum(node) and node.id not in counted:
            parts = [node]
            for part in parts:
                parts += _parts(part)
            counted |= {part.id for part in parts}
            sums.append(sum(not _parts(part) and part.type != "parenthesized_expression" for part in parts))
    return sums


def _parts(node: Node) -> list[Node]:
    """What a sum adds up, and what a bracket holds; nothing else has parts."""
    if node.type == "parenthesized_expression":
        return node.named_children[:1]
    sides = [node.child_by_field_name(side) for side in ("left", "right")] if _is_sum(node) else []
    return [side for side in sides if side is not None]


def _count_set_tokens(root: Node) -> int:
    """String members of the sets, lists and tuples that the program writes out."""
    members = find_nodes(root, "[(set (string) @member) (list (string) @member) (tuple (string) @member)]")
    return len({member.start_byte for member in members})
