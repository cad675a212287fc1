"""Recorded scores: `record` writes a program's held-out scores into its metadata, `check` computes them again.

A recorded score names what it depends on: the fingerprints of model and corpus, sequence count and length. Writing
changes the metadata block and nothing else in the file. A program whose code Readhead changes loses its record.
"""

from __future__ import annotations

import ast
import math
import os
import stat
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import tomlkit

from readhead.errors import ProgramError, StoreError
from readhead.heads import HeadId
from readhead.patterns import write_beside
from readhead.program import Program, metadata_block, metadata_toml, python_tree

if TYPE_CHECKING:
    from readhead.scores import HeadScore
    from readhead.session import Session

TOLERANCE = 0.005
"""How far a recomputed IoU may lie from the recorded one: several times what other processors and BLAS libraries do."""
_DIGITS = 4


@dataclass(frozen=True)
class Drift:
    """One recorded score beside the recomputed one."""

    program: Program
    head: HeadId | None
    """None where the file does not tell."""
    recorded: float | None
    """None where nothing is recorded for the head."""
    measured: float | None
    """None where the program failed or was not run."""
    reason: str
    """Why this is a drift; empty where the score holds."""

    def as_dict(self) -> dict[str, Any]:
        """One row of `readhead check --json`."""
        return {
            "file": str(self.program.path),
            "head": str(self.head) if self.head else None,
            "recorded": self.recorded,
            "measured": self.measured,
            "ok": not self.reason,
            "reason": self.reason,
        }


def record(programs: Sequence[Program], session: Session) -> list[HeadScore]:
    """Measure each program on the heads of its metadata, on `held-out`, and write that into its file.

    Nothing is written unless every program could be measured, twice with the same result.

    Raises:
        ProgramError: if a program has findings, names no heads, or fails.
    """
    scores = measure(programs, session)
    for program in programs:
        own = [score for score in scores if score.program is program]
        rewrite(program, with_record(program.source, stamp(session), own))
    return scores


def measure(programs: Sequence[Program], session: Session) -> list[HeadScore]:
    """What `record` writes: each program on the heads of its metadata, on `held-out`; no file is touched.

    Raises:
        ProgramError: if a program has findings, names no heads, fails, or gives another score each time.
    """
    for program in programs:
        name = program.path or program.name
        if program.findings:
            raise ProgramError(f"{name}:{program.findings[0]}", hint="mend the file, then record it")
        if not program.metadata.heads:
            raise ProgramError(
                f"{name} names no heads",
                hint='give it a metadata block: # /// script, # [tool.readhead], # heads = ["L0H1"], # ///',
            )
    pairs = [(program, head) for program in programs for head in program.metadata.heads]
    scores = session.score(pairs)
    for score, again in zip(scores, session.score(pairs), strict=True):
        name = score.program.path or score.program.name
        if score.error:
            raise ProgramError(f"{name} gave nothing: {score.error['message']}", hint="mend the program")
        if not math.isclose(score.iou, again.iou, abs_tol=1e-6):
            raise ProgramError(f"{name} gives another score each time", hint="make it deterministic")
    return scores


def stamp(session: Session) -> dict[str, Any]:
    """What a score of this session depends on, besides the program."""
    revision = getattr(session.model.model.config, "_commit_hash", None)
    return {
        "model": session.model.name,
        **({"revision": revision} if revision else {}),
        "model_fingerprint": session.model.fingerprint,
        "corpus": session.corpus.name,
        "corpus_fingerprint": session.corpus.fingerprint,
        "sequences": len(session.corpus["held-out"]),
        "length": session.corpus.length,
    }


def with_record(source: str, stamped: dict[str, Any], scores: Sequence[HeadScore]) -> str:
    """The program's text with these scores in its metadata; a block is added after the docstring where none is."""
    block = metadata_block(source)
    document = tomlkit.parse(metadata_toml(block) if block else "[tool.readhead]\n")
    table = document["tool"]["readhead"]
    recorded = tomlkit.table()
    recorded.update(stamped)
    measured = tomlkit.table()
    for score in scores:
        row = tomlkit.inline_table()
        row.update(
            {
                "iou": round(score.iou, _DIGITS),
                "trivial": score.trivial,
                "trivial_iou": round(score.trivial_iou, _DIGITS),
                "jsd": round(score.jsd, _DIGITS),
            }
        )
        measured[str(score.head)] = row
    recorded["scores"] = measured
    table["recorded"] = recorded
    text = _block_of(document)
    if block:
        return source[: block.start()] + text + source[block.end() :]
    place = _after_docstring(source)
    return source[:place] + ("\n" if place else "") + text + "\n" + ("" if place else "\n") + source[place:]


def _block_of(document: tomlkit.TOMLDocument) -> str:
    lines = tomlkit.dumps(document).rstrip("\n").split("\n")
    return "\n".join(["# /// script", *(f"# {line}" if line else "#" for line in lines), "# ///"])


def _after_docstring(source: str) -> int:
    """Where a metadata block goes that a file does not have yet: the start of the line after its docstring."""
    body = python_tree(source).body
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) and body[0].end_lineno:
        return sum(len(line) + 1 for line in source.split("\n")[: body[0].end_lineno])
    return 0


def without_record(source: str) -> str:
    """A program's text without recorded scores, which are another program's once its code has changed."""
    block = metadata_block(source)
    if block is None or "recorded" not in tomlkit.parse(metadata_toml(block)).get("tool", {}).get("readhead", {}):
        return source
    document = tomlkit.parse(metadata_toml(block))
    document["tool"]["readhead"].remove("recorded")
    return source[: block.start()] + _block_of(document) + source[block.end() :]


def with_metadata(source: str, change: Callable[[Any], None]) -> str:
    """The program's text after a change to its `[tool.readhead]` table, which is added where none is.

    Raises:
        ValueError: if the metadata is no TOML, or `tool.readhead` no table.
    """
    block = metadata_block(source)
    document = tomlkit.parse(metadata_toml(block) if block else "[tool.readhead]\n")
    tool = document.setdefault("tool", tomlkit.table(is_super_table=True))
    if not isinstance(tool, MutableMapping):
        raise ValueError("tool is not a table")  # noqa: TRY004 - of the file's text, not of a caller's type
    table = tool.setdefault("readhead", tomlkit.table())
    if not isinstance(table, MutableMapping):
        raise ValueError("tool.readhead is not a table")  # noqa: TRY004 - as above
    change(table)
    text = _block_of(document)
    if block:
        return source[: block.start()] + text + source[block.end() :]
    place = _after_docstring(source)
    return source[:place] + ("\n" if place else "") + text + "\n" + ("" if place else "\n") + source[place:]


def rewrite(program: Program, source: str) -> None:
    """Replace the text of a program's file; its byte order mark and its line endings stay.

    Raises:
        ProgramError: if the file has changed since it was read, and is not the program's any more.
        StoreError: if it cannot be written; the old text is untouched.
    """
    if program.path is None:
        return
    check_writable(program)
    text = program.path.read_bytes().decode("utf-8", errors="replace")
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    ending = "\r\n" if "\r\n" in text else "\n"
    if text.removeprefix(mark).replace("\r\n", "\n") != program.source:
        raise ProgramError(f"{program.path} was changed while it was measured", hint="run the command again")
    write_beside(program.path, mark + source.replace("\n", ending))


def check_writable(program: Program) -> None:
    """See to it, before any work, that a program's file may be replaced.

    Raises:
        StoreError: if it is gone or read-only, which replacing a file would not notice.
    """
    path = program.path
    if path is None:
        return
    try:
        writable = path.stat().st_mode & stat.S_IWUSR and os.access(path, os.W_OK)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}", hint="check the file") from error
    if not writable:
        raise StoreError(f"{path} cannot be written: it is read-only", hint=f"chmod u+w {path}")


def check(programs: Sequence[Program], session: Session, *, tolerance: float = TOLERANCE) -> list[Drift]:
    """Every recorded score beside the recomputed one; a file with findings has drifted.

    Programs that record nothing are left out.
    """
    current = stamp(session)
    results: list[Drift] = []
    pairs: list[tuple[Program, HeadId]] = []
    for program in programs:
        heads = program.metadata.heads
        if program.findings:
            results += [Drift(program, head, None, None, str(program.findings[0])) for head in heads or (None,)]
        elif program.metadata.recorded is not None:
            reason = _moved(program.metadata.recorded, current)
            if reason:
                results += [Drift(program, head, _recorded_iou(program, head), None, reason) for head in heads]
            else:
                pairs += [(program, head) for head in heads]
    for score in session.score(pairs) if pairs else []:
        results.append(_compare(score, tolerance))
    return results


def _moved(recorded: dict[str, Any], current: dict[str, Any]) -> str:
    """Why a record cannot be compared with what is measured now; empty where it can."""
    for what in ("model", "corpus"):
        if recorded.get(f"{what}_fingerprint") != current[f"{what}_fingerprint"]:
            then, now = (
                f"{what} {told.get(what)}, {told.get('sequences')} texts of {told.get('length')} tokens"
                for told in (recorded, current)
            )
            return f"recorded with {then}; now {now if now != then else f'the {what} is another one of that name'}"
    return ""


def _recorded_iou(program: Program, head: HeadId) -> float | None:
    """None where nothing is recorded for the head, or nothing that makes sense."""
    scores = (program.metadata.recorded or {}).get("scores")
    row = scores.get(str(head)) if isinstance(scores, dict) else None
    known = row.get("iou") if isinstance(row, dict) else None
    return float(known) if isinstance(known, int | float) else None


def _compare(score: HeadScore, tolerance: float) -> Drift:
    known = _recorded_iou(score.program, score.head)
    if score.error:
        return Drift(score.program, score.head, known, None, f"{score.error['kind']}: {score.error['message']}")
    reason = ""
    if known is None:
        reason = "no score is recorded for this head"
    elif not math.isclose(known, score.iou, abs_tol=tolerance):
        reason = f"the IoU moved from {known:.4f} to {score.iou:.4f}"
    return Drift(score.program, score.head, known, score.iou, reason)


def junit(results: Sequence[Drift]) -> str:
    """The results as JUnit XML: a test case a program and head."""
    suite = ET.Element(
        "testsuite",
        name="readhead check",
        tests=str(len(results)),
        failures=str(sum(bool(result.reason) for result in results)),
    )
    for result in results:
        name = str(result.head or "file")
        case = ET.SubElement(suite, "testcase", classname=str(result.program.path), name=name)
        if result.reason:
            ET.SubElement(case, "failure", message=result.reason)
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
