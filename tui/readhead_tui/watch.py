"""Which program files of a folder have changed, as an editor or the command line leaves them, and what is in them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from readhead.errors import ProgramError
from readhead.heads import HeadId
from readhead.program import Program, read_program

Stamp = tuple[int, int]
"""Of a file: time of change (ns) and size."""
Stamps = dict[str, Stamp]
"""By path."""


@dataclass(frozen=True)
class Broken:
    """A program file that cannot be ranked, or gives nothing."""

    path: str
    problem: str
    line: int = 0
    """From 1; 0 where it is the file as a whole."""
    heads: frozenset[HeadId] = frozenset()
    """That it names, or that it was the best program of."""

    @property
    def told(self) -> str:
        """In a line: file, line, what is wrong."""
        place = f", line {self.line}" if self.line else ""
        return f"{Path(self.path).name}{place}: {self.problem}"


@dataclass(frozen=True)
class News:
    """What has changed in the folder of program files."""

    files: frozenset[str] = frozenset()
    """New, gone, or other than before."""
    programs: dict[str, Program] = field(default_factory=dict)
    """Those of them that may be ranked, by path."""
    broken: dict[str, Broken] = field(default_factory=dict)
    """Those of them that may not."""


def stamps_of(folder: Path) -> Stamps:
    """Of the program files below a folder, as the engine finds them; nothing where there is none."""
    found: Stamps = {}
    for where, below, names in os.walk(folder):
        below[:] = [name for name in below if not name.startswith(".")]
        for name in names:
            if name.endswith(".py") and not name.startswith(".") and name != "__init__.py":
                path = os.path.join(where, name)  # noqa: PTH118 - many files, several times a second
                now = stamp(path)
                if now is not None:
                    found[path] = now
    return found


def stamp(path: str | Path) -> Stamp | None:
    """Of a file as it is now; None where there is none."""
    try:
        state = os.stat(path)  # noqa: PTH116 - as above
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size


def changed(before: Stamps, now: Stamps) -> set[str]:
    """Files that are new, gone or other than before."""
    return {path for path in before.keys() | now.keys() if before.get(path) != now.get(path)}


def look(folder: Path, before: Stamps | None) -> tuple[Stamps, News]:
    """The files as they are now, and what is new since `before`; at the first look, only which are broken."""
    now = stamps_of(folder)
    files = changed(before or {}, now)
    programs, broken = _read(path for path in files if path in now)
    if before is None:
        return now, News(broken=broken)
    return now, News(frozenset(files), programs, broken)


def _read(paths: Iterable[str]) -> tuple[dict[str, Program], dict[str, Broken]]:
    programs, broken = {}, {}
    for path in paths:
        try:
            program = read_program(path)
        except ProgramError as error:
            broken[path] = Broken(path, str(error))
            continue
        if program.findings:
            first = program.findings[0]
            broken[path] = Broken(path, first.message, first.line, frozenset(program.metadata.heads))
        else:
            programs[path] = program
    return programs, broken
