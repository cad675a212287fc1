"""Code actions that need no engine: cures of findings, parts that earn nothing, heads in the metadata."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lsprotocol import types as lsp

from readhead.errors import UsageError
from readhead.findings import Finding
from readhead.heads import HeadId
from readhead.program import CATEGORIES, find_nodes, metadata_block, node_text, syntax_tree
from readhead.record import with_metadata
from readhead_server.annotations import Annotations
from readhead_server.diagnostics import NOTHING, score_diagnostics, syntax_diagnostics
from readhead_server.documents import Document
from readhead_server.offers import of_this_version
from readhead_server.options import ServerOptions

KINDS = (lsp.CodeActionKind.QuickFix, lsp.CodeActionKind.RefactorRewrite)
_NAME = re.compile(r"[\w.]+")
_TWO_NUMBERS = re.compile(r"\D*(\d+)\D+(\d+)\D*")
_HEAD = "def head(s: Sentence):\n    return s.previous(1)\n"
_IMPORT = "from readhead.language import Sentence\n"
_TELLING = 4
"""Characters that are enough to tell a category by a part of its name."""
_LIKELY = 0.6
"""Likeness of two categories above which one is taken for the other misspelled."""


def code_actions(
    document: Document, annotations: Annotations, options: ServerOptions, wanted: lsp.Range,
    only: Sequence[str] | None = None,
) -> list[lsp.CodeAction]:  # fmt: skip
    """Those for a range; `only` are the kinds that the client asks for."""
    found = [
        *_cures(document, wanted),
        *_removals(document, annotations, options, wanted),
        *_heads_to_explain(document, annotations, wanted),
    ]
    return [action for action in found if only is None or any(_is_of(action, kind) for kind in only)]


def _is_of(action: lsp.CodeAction, kind: str) -> bool:
    """A kind holds those below it: `refactor` holds `refactor.rewrite`."""
    own = action.kind or ""
    return not kind or own == kind or own.startswith(kind + ".")


def _action(
    document: Document, title: str, source: str | None, diagnostics: Sequence[lsp.Diagnostic] = (), *,
    preferred: bool = False, kind: lsp.CodeActionKind = lsp.CodeActionKind.QuickFix,
) -> Iterator[lsp.CodeAction]:  # fmt: skip
    """One that makes the document read `source`; none where that changes nothing."""
    if source is not None and source != document.source:
        yield lsp.CodeAction(
            title=title,
            kind=kind,
            diagnostics=list(diagnostics) or None,
            is_preferred=preferred or None,
            edit=of_this_version(document, source),
        )


def _overlap(one: lsp.Range, other: lsp.Range) -> bool:
    return _place(one.start) <= _place(other.end) and _place(other.start) <= _place(one.end)


def _place(position: lsp.Position) -> tuple[int, int]:
    return position.line, position.character


# ---- findings --------------------------------------------------------------------------------------------------------


def _cures(document: Document, wanted: lsp.Range) -> Iterator[lsp.CodeAction]:
    block = _block_range(document)
    for finding, diagnostic in zip(document.findings, syntax_diagnostics(document), strict=True):
        about_block = finding.code in _METADATA and block is not None and _overlap(wanted, block)
        if about_block or _overlap(wanted, diagnostic.range):
            yield from _cure(document, finding, diagnostic)


def _block_range(document: Document) -> lsp.Range | None:
    block = metadata_block(document.source)
    if block is None:
        return None
    return document.lines.range(document.lines.at(block.start()), document.lines.at(block.end()))


def _cure(document: Document, finding: Finding, diagnostic: lsp.Diagnostic) -> Iterator[lsp.CodeAction]:
    if finding.instead:
        source = _written_instead(document, finding)
        yield from _action(document, f"Write {finding.instead}", source, [diagnostic], preferred=True)
    elif finding.code == "RH202":
        title = "Add `def head(s: Sentence):`"
        yield from _action(document, title, _with_head(document), [diagnostic], preferred=True)
    elif finding.code == "RH203":
        title = "Give `head` its sentence"
        yield from _action(document, title, _with_parameter(document), [diagnostic], preferred=True)
    elif finding.code in _METADATA:
        yield from _METADATA[finding.code](document, finding, diagnostic)


def _written_instead(document: Document, finding: Finding) -> str | None:
    """The text with another name at a finding's place; a module's name may have dots."""
    start = document.lines.offset_of(finding.line - 1, finding.column - 1)
    match = (_NAME if finding.code == "RH223" else re.compile(r"\w+")).match(document.source, start)
    return None if match is None else document.source[:start] + finding.instead + document.source[match.end() :]


def _with_head(document: Document) -> str | None:
    if any(finding.code == "RH201" for finding in document.findings) or re.search(r"(?m)^def head\b", document.source):
        return None
    source = document.source.rstrip("\n")
    return _with_import(source + ("\n\n\n" if source else "") + _HEAD)


def _with_parameter(document: Document) -> str | None:
    """`head` that takes nothing takes a sentence; which of several it means is not told."""
    for function in find_nodes(syntax_tree(document.source), "(module (function_definition) @function)"):
        name, parameters = (function.child_by_field_name(field) for field in ("name", "parameters"))
        if name is not None and node_text(name) == "head" and parameters is not None and not parameters.named_children:
            text = document.source.encode()
            changed = text[: parameters.start_byte] + b"(s: Sentence)" + text[parameters.end_byte :]
            return _with_import(changed.decode())
    return None


def _with_import(source: str) -> str:
    """`Sentence` is imported behind the imports that are there, else behind docstring and metadata."""
    body = ast.parse(source).body
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    if any(alias.name == "Sentence" for node in imports for alias in node.names):
        return source
    lines = source.split("\n")
    if imports:
        row = imports[-1].end_lineno or 0
        return "\n".join([*lines[:row], _IMPORT.rstrip("\n"), *lines[row:]])
    row = _rows_before_code(source, body)
    before = [*lines[:row], *([""] if row and lines[row - 1].strip() else [])]
    behind = lines[row:]
    while behind and not behind[0].strip():
        behind = behind[1:]
    return "\n".join([*before, _IMPORT.rstrip("\n"), "", "", *behind])


def _rows_before_code(source: str, body: Sequence[ast.stmt]) -> int:
    """Of docstring and metadata."""
    block = metadata_block(source)
    rows = 0 if block is None else source.count("\n", 0, block.end()) + 1
    first = body[0] if body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        rows = max(rows, first.end_lineno or 0)
    return rows


# ---- metadata --------------------------------------------------------------------------------------------------------


def _changed(document: Document, change: Callable[[Any], None]) -> str | None:
    """The document's text after a change to its metadata; None where that cannot be read."""
    try:
        return with_metadata(document.source, change)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def _drop_unknown(document: Document, finding: Finding, diagnostic: lsp.Diagnostic) -> Iterator[lsp.CodeAction]:
    key = _quoted(finding.message)
    title = f"Remove {key} from the metadata"
    yield from _action(document, title, _changed(document, lambda t: t.remove(key)), [diagnostic], preferred=True)


def _nearest_category(document: Document, finding: Finding, diagnostic: lsp.Diagnostic) -> Iterator[lsp.CodeAction]:
    given = _quoted(finding.message)

    def likeness(category: str) -> float:
        if len(given) >= _TELLING and given.lower() in category:
            return 1.0
        return difflib.SequenceMatcher(a=given.lower(), b=category).ratio()

    nearest = max(CATEGORIES, key=likeness)
    source = _changed(document, lambda table: table.update(category=nearest))
    preferred = likeness(nearest) >= _LIKELY
    yield from _action(document, f"Write category {nearest!r}", source, [diagnostic], preferred=preferred)


def _mend_head(document: Document, finding: Finding, diagnostic: lsp.Diagnostic) -> Iterator[lsp.CodeAction]:
    given = _quoted(finding.message)
    match = _TWO_NUMBERS.fullmatch(given)
    if match is not None:
        meant = str(HeadId(int(match[1]), int(match[2])))
        source = _with_heads(document, lambda listed: [meant if item == given else item for item in listed])
        yield from _action(document, f"Write {meant}", source, [diagnostic], preferred=True)
    source = _with_heads(document, lambda listed: [item for item in listed if item != given])
    yield from _action(document, f"Remove {given} from the heads", source, [diagnostic])


def _quoted(message: str) -> str:
    """What a message names: its one Python string."""
    match = re.search(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", message)
    return "" if match is None else str(ast.literal_eval(match[0]))


_METADATA: dict[str, Callable[[Document, Finding, lsp.Diagnostic], Iterator[lsp.CodeAction]]] = {
    "RH213": _drop_unknown,
    "RH214": _nearest_category,
    "RH215": _mend_head,
}
"""Cures by code; their findings stand where the block begins, and are cured anywhere in it."""


def _with_heads(document: Document, change: Callable[[list[str]], list[str]], *, forget: bool = False) -> str | None:
    """The document's text with other heads in its metadata; `forget` what is recorded of those that were there."""

    def change_table(table: Any) -> None:  # noqa: ANN401 - a TOML table
        listed = table.get("heads", [])
        now = [str(item) for item in (listed if isinstance(listed, list) else [listed])]
        heads = change(now)
        if isinstance(listed, list) and "heads" in table and heads[: len(now)] == now:
            listed.extend(heads[len(now) :])  # keeps layout and comments
        else:
            table["heads"] = heads
        if forget:
            table.pop("recorded", None)

    return _changed(document, change_table)


def with_head(document: Document, head: str) -> str | None:
    """The document's text with one more head in its metadata; None where it cannot be added."""
    try:
        added = str(HeadId.parse(head))
    except UsageError:
        return None
    if added in document.heads:
        return None
    return _with_heads(document, lambda listed: [*listed, added])


def _heads_to_explain(document: Document, annotations: Annotations, wanted: lsp.Range) -> Iterator[lsp.CodeAction]:
    """Another head that the program explains, beside those of the metadata or in their place."""
    other, block = annotations.other, _block_range(document)
    near = _overlap(wanted, document.lines.line_range(document.head_line))
    if other is None or not annotations.is_current(document) or not (near or (block and _overlap(wanted, block))):
        return
    told = f"IoU {other.iou:.3f}, {other.lift:+.3f} over {other.trivial}"
    kind = lsp.CodeActionKind.RefactorRewrite
    title = f"Explain {other.head} too ({told})"
    yield from _action(document, title, with_head(document, other.head), kind=kind)
    instead = _with_heads(document, lambda _: [other.head], forget=True)
    yield from _action(document, f"Explain {other.head} instead of {', '.join(document.heads)}", instead, kind=kind)


# ---- parts that earn nothing -----------------------------------------------------------------------------------------


def _removals(
    document: Document, annotations: Annotations, options: ServerOptions, wanted: lsp.Range
) -> Iterator[lsp.CodeAction]:
    """Each part is taken out once, whatever heads it earns nothing on; the title tells what that does to all."""
    found: dict[str, list[lsp.Diagnostic]] = {}
    for diagnostic in score_diagnostics(document, annotations, options):
        if diagnostic.code == "earns-nothing" and _overlap(wanted, diagnostic.range):
            found.setdefault(diagnostic.data["without"], []).append(diagnostic)  # type: ignore[index] # ours
    for without, diagnostics in found.items():
        losses = {
            head: part.loss
            for head, parts in annotations.blame(document).items()
            for part in parts
            if part.without == without
        }
        title = f"Remove this: {', '.join(_without(annotations, head, loss) for head, loss in losses.items())}"
        harmless = all(loss < NOTHING for loss in losses.values())
        yield from _action(document, title, without, diagnostics, preferred=harmless)


def _without(annotations: Annotations, head: str, loss: float) -> str:
    score = annotations.scores.get(head)
    return f"{head} {-loss:+z.3f}" if score is None else f"{head} IoU {score.iou - loss:.3f} ({-loss:+z.3f})"
