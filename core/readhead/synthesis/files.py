"""Program files of what was synthesized: one a program, named after its first head; nothing of a person's is lost."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from readhead.errors import StoreError
from readhead.heads import HeadId
from readhead.patterns import write_beside
from readhead.program import Program, parse, read_program
from readhead.synthesis.cover import Merge

_HEADS = re.compile(r"(?m)^# heads = \[.*\]$")


@dataclass(frozen=True)
class Saved:
    """Where a program went."""

    path: Path
    note: str = ""
    """What is to be told of it; empty for a file that was written as wanted, or is there already."""


def with_heads(program: Program, heads: Sequence[HeadId]) -> Program:
    """The program with these heads in its metadata."""
    line = f"# heads = {json.dumps([str(head) for head in sorted(heads)])}"
    return parse(_HEADS.sub(line, program.source, count=1), name=str(min(heads)))


def check_folder(folder: Path) -> None:
    """See to it, before any work, that programs can be written.

    Raises:
        StoreError: if the folder cannot be made, or is read-only.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder} cannot be made: {error.strerror}", hint="name another programs folder") from error
    if not os.access(folder, os.W_OK):
        raise StoreError(f"{folder} is read-only", hint=f"chmod u+w {folder}")


def merged(chosen: Sequence[tuple[Program, HeadId]], merges: Sequence[Merge]) -> list[tuple[Program, HeadId]]:
    """Each head with its program, once heads have taken over others'; a program names all its heads."""
    taken = {merge.head: merge.other.source for merge in merges}
    source_of = {head: taken.get(head, program.source) for program, head in chosen}
    heads_of: dict[str, list[HeadId]] = {}
    for _, head in chosen:
        heads_of.setdefault(_code_of(source_of[head]), []).append(head)
    programs = {program.source: program for program, _ in chosen}
    return [(with_heads(programs[source_of[head]], heads_of[_code_of(source_of[head])]), head) for _, head in chosen]


def _code_of(source: str) -> str:
    """What makes two programs one: their code, whatever their heads."""
    return parse(source).fingerprint


def save_program(program: Program, folder: Path, is_own: Callable[[str], bool]) -> Saved:
    """Write a program as `L3H2.py`, or beside it where a person has a file of that name.

    Args:
        program: named after its first head.
        folder: of the workspace's programs.
        is_own: whether Readhead has written a text: a file that holds it may be replaced.
    """
    for number in itertools.count(1):
        path = folder / (f"{program.name}.py" if number == 1 else f"{program.name}_{number}.py")
        if not (path.exists() or path.is_symlink()):
            write_beside(path, program.source)
            break
        there = read_program(path)
        if is_own(there.source):
            if there.source != program.source:
                write_beside(path, program.source)
            break
        if there.fingerprint == program.fingerprint:  # only its comments, heads or records differ
            return Saved(path)
    if number == 1:
        return Saved(path)
    taken = folder / f"{program.name}.py"
    return Saved(path, f"{taken} is yours and was left alone: the new program is {path.name}")
