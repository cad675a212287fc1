"""Diagnostics, by document and source: each source replaces only its own, and one store answers push and pull."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from attrs import evolve
from lsprotocol import types as lsp

from readhead.engine import Blame
from readhead_server.annotations import Annotations
from readhead_server.documents import Document
from readhead_server.failures import Place
from readhead_server.options import ServerOptions

SYNTAX, RUN, SCORE = "readhead-syntax", "readhead-run", "readhead-score"
SOURCES = (SYNTAX, RUN, SCORE)


@dataclass(frozen=True)
class _Told:
    """One source's diagnostics, and the text that they are of."""

    diagnostics: list[lsp.Diagnostic]
    lines: Sequence[str]


class DiagnosticStore:
    """What is wrong where, as last told."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, _Told]] = {}
        self._told: dict[str, dict[str, list[lsp.Diagnostic]]] = {}

    def put(self, document: Document, source: str, diagnostics: Sequence[lsp.Diagnostic]) -> bool:
        """Replace one source's; whether anything changed."""
        self._found.setdefault(document.uri, {})[source] = _Told(list(diagnostics), document.lines.lines)
        return self._tell(document.uri, source, list(diagnostics))

    def age(self, document: Document, source: str) -> bool:
        """One source's are of an older text than the document's: they say so, each on its line; whether any changed."""
        found = self._found.get(document.uri, {}).get(source)
        if found is None:
            return False
        lines = document.lines.lines
        moved = [_stale(each, moved_line(each.range.start.line, found.lines, lines), document)
                 for each in found.diagnostics if not each.tags]  # fmt: skip
        return self._tell(document.uri, source, moved)

    def _tell(self, uri: str, source: str, diagnostics: list[lsp.Diagnostic]) -> bool:
        own = self._told.setdefault(uri, {})
        if own.get(source, []) == diagnostics:
            return False
        own[source] = diagnostics
        return True

    def drop(self, uri: str) -> bool:
        """Forget a document; whether anything was known of it."""
        self._found.pop(uri, None)
        return self._told.pop(uri, None) is not None

    def all(self, uri: str) -> list[lsp.Diagnostic]:
        """Of every source."""
        own = self._told.get(uri, {})
        return [diagnostic for source in SOURCES for diagnostic in own.get(source, [])]

    def result_id(self, uri: str) -> str:
        """Changes when they do."""
        return hashlib.sha256(repr(self.all(uri)).encode()).hexdigest()[:16]


def _stale(diagnostic: lsp.Diagnostic, line: int, document: Document) -> lsp.Diagnostic:
    return evolve(diagnostic, range=document.lines.line_range(line), message=f"stale: {diagnostic.message}")


def moved_line(line: int, before: Sequence[str], after: Sequence[str]) -> int:
    """Where a line of a text stands in a later one; in the middle of a change, the nearest place to where it was."""
    most = min(len(before), len(after))
    same = next((row for row in range(most) if before[row] != after[row]), most)
    if line < same:
        return line
    below = next((row for row in range(most - same) if before[-1 - row] != after[-1 - row]), most - same)
    if line >= len(before) - below:
        return line + len(after) - len(before)
    return min(line, max(len(after) - below - 1, same, 0))


def syntax_diagnostics(document: Document) -> list[lsp.Diagnostic]:
    """Findings of form and policy."""
    found = []
    for finding in document.findings:
        line, column = finding.line - 1, finding.column - 1
        hint = f" ({finding.hint})" if finding.hint else ""
        found.append(
            lsp.Diagnostic(
                range=document.lines.range((line, column), _word_end(document, line, column)),
                message=f"{finding.message}{hint}",
                severity=lsp.DiagnosticSeverity.Error,
                code=finding.code,
                source=SYNTAX,
                data={"hint": finding.hint},
            )
        )
    return found


def _word_end(document: Document, line: int, column: int) -> tuple[int, int]:
    """Behind the name, or else the character, at a place."""
    lines = document.lines.lines
    text = lines[line] if 0 <= line < len(lines) else ""
    end = column
    while end < len(text) and (text[end].isalnum() or text[end] == "_"):
        end += 1
    return line, max(end, column + 1)


def run_diagnostics(document: Document, annotations: Annotations) -> list[lsp.Diagnostic]:
    """What went wrong when the program ran, on its line, with the text that did it."""
    found = {}
    for head, score in annotations.scores.items():
        for failure in score.failures:
            if failure["kind"] == "refused":
                continue
            line = (failure.get("line") or document.head_line + 1) - 1
            hint = f" ({failure['hint']})" if failure.get("hint") else ""
            failed = round((1 - score.coverage) * score.sequences)
            sequence = failure.get("sequence")
            related = None
            if sequence is not None:
                related = [
                    lsp.DiagnosticRelatedInformation(
                        failures_location(document, head, sequence),
                        f"dev text {sequence} did it",
                    )
                ]
            found[failure["kind"], line] = lsp.Diagnostic(
                range=document.lines.line_range(line),
                message=f"{failure['kind']}: {failure['message']}{hint}; {failed} of {score.sequences} texts",
                severity=lsp.DiagnosticSeverity.Error,
                code=failure["kind"],
                source=RUN,
                related_information=related,
                data={"stamp": document.stamp},
            )
    return list(found.values())


def score_diagnostics(document: Document, annotations: Annotations, options: ServerOptions) -> list[lsp.Diagnostic]:
    """A program that does not earn its lines, and terms that earn nothing."""
    found = []
    for head, score in annotations.scores.items():
        if score.coverage == 0:
            continue
        if score.look_ahead:
            found.append(_on_head(document, f"{head}: it looks ahead, which a causal model cannot: {score.look_ahead}"))
        if score.lift < options.good_lift:
            below = score.lift < options.least_lift
            what = "below the floor" if below else "little over the floor"
            inactive = "; the head is inactive: it keeps 0.9 or more on the first token" if score.inactive else ""
            found.append(
                _on_head(
                    document,
                    f"{head}: IoU {score.iou:.3f} is {what}: {score.trivial} has {score.trivial_iou:.3f}{inactive}",
                    lsp.DiagnosticSeverity.Warning if below else lsp.DiagnosticSeverity.Information,
                    _worst(document, score.mistakes, head),
                )
            )
    for head, parts in annotations.blame(document).items():
        found += [_dead(document, head, part) for part in parts if part.loss < NOTHING]
    return found


def _dead(document: Document, head: str, part: Blame) -> lsp.Diagnostic:
    return lsp.Diagnostic(
        range=document.lines.range((part.start[0], part.start[1]), (part.end[0], part.end[1])),
        message=f"earns nothing on {head}: without it the IoU is {-part.loss:+z.3f}",
        severity=lsp.DiagnosticSeverity.Hint,
        code="earns-nothing",
        source=SCORE,
        tags=[lsp.DiagnosticTag.Unnecessary],
        data={"head": head, "without": part.without, "loss": part.loss, "stamp": document.stamp},
    )


NOTHING = 5e-4
"""IoU that counts as nothing."""


def _on_head(
    document: Document,
    message: str,
    severity: lsp.DiagnosticSeverity = lsp.DiagnosticSeverity.Warning,
    related: list[lsp.DiagnosticRelatedInformation] | None = None,
) -> lsp.Diagnostic:
    return lsp.Diagnostic(
        range=document.lines.line_range(document.head_line),
        message=message,
        severity=severity,
        source=SCORE,
        related_information=related,
        data={"stamp": document.stamp},
    )


def _worst(document: Document, mistakes: list[dict[str, object]], head: str) -> list[lsp.DiagnosticRelatedInformation]:
    return [
        lsp.DiagnosticRelatedInformation(
            failures_location(document, head, int(str(mistake["sequence"]))), in_words(mistake)
        )
        for mistake in mistakes[:3]
    ]


def in_words(mistake: dict[str, object]) -> str:
    """A row that a program predicts badly."""
    return (
        f"at {mistake['token']!r} the head looks at {mistake['real']!r} ({mistake['real_weight']:.2f}); "
        f"the program at {mistake['predicted']!r} ({mistake['predicted_weight']:.2f})"
    )


def failures_location(document: Document, head: str, sequence: int | None = None) -> lsp.Location:
    """The page that tells where a program fails on a head."""
    start = lsp.Position(0, 0)
    return lsp.Location(Place(document.path, head, sequence).uri, lsp.Range(start, start))
