"""A program file as the client has it open: a snapshot that no later change touches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pygls.uris import to_fs_path

from readhead.engine.results import text_stamp
from readhead.errors import UsageError
from readhead.findings import Finding
from readhead.program import Program, metadata_block, parse, syntax_tree
from readhead.sandbox.policy import check
from readhead.settings import CONFIG, Settings, find_root, read_settings
from readhead_server.convert import Lines, Units


@dataclass(frozen=True)
class Document:
    """One version of one program file."""

    uri: str
    version: int
    source: str
    """With line feeds only."""
    path: Path
    root: Path
    """Of its workspace."""
    units: Units

    @cached_property
    def program(self) -> Program:
        """Parsed; never run here."""
        return parse(self.source, name=self.path.stem, path=self.path)

    @cached_property
    def findings(self) -> list[Finding]:
        """Everything that is wrong with it, of its form and by the sandbox's policy."""
        form = list(self.program.findings)
        if any(finding.code == "RH201" for finding in form):
            return form
        known = {(finding.line, finding.code) for finding in form}
        known |= {(finding.line, "RH202") for finding in form if finding.code == "RH203"}  # the policy's word for it
        return sorted([*form, *(each for each in check(self.source) if (each.line, each.code) not in known)])

    @cached_property
    def stamp(self) -> str:
        """Of its text."""
        return text_stamp(self.source)

    @property
    def name(self) -> str:
        """The program's name."""
        return self.path.stem

    @property
    def heads(self) -> list[str]:
        """Those of its metadata."""
        return [str(head) for head in self.program.metadata.heads]

    @cached_property
    def lines(self) -> Lines:
        """For places in it."""
        return Lines(self.source, self.units)

    @cached_property
    def docstring_span(self) -> tuple[int, int] | None:
        """Where the docstring begins and ends, in characters."""
        statements = [child for child in syntax_tree(self.source).children if child.type != "comment"]
        if not statements or statements[0].type != "expression_statement" or statements[0].children[0].type != "string":
            return None
        text = self.source.encode()
        return len(text[: statements[0].start_byte].decode()), len(text[: statements[0].end_byte].decode())

    @cached_property
    def head_line(self) -> int:
        """Where `def head` stands, from 0; 0 where it does not."""
        return next((row for row, line in enumerate(self.lines.lines) if line.startswith("def head(")), 0)


def open_document(uri: str, version: int | None, source: str, units: Units) -> Document | None:
    """A snapshot of a program file; None for a file that is none of ours.

    Ours is what lies in a workspace's programs folder, or in a workspace with `[tool.readhead]` metadata.
    """
    name = to_fs_path(uri)
    if name is None or not name.endswith(".py"):
        return None
    path = Path(name)
    root = find_root(path.parent)
    text = source.replace("\r\n", "\n").replace("\r", "\n")  # each ends a line for the protocol, and for Python
    if root is None or not (_is_in_programs(path, root) or _has_metadata(text)):
        return None
    return Document(uri, version or 0, text, path, root.resolve(), units)


def root_at(uri: str) -> Path | None:
    """The root of the workspace that a file or a folder lies in; None where it lies in none."""
    name = to_fs_path(uri)
    root = None if name is None else find_root(Path(name))
    return None if root is None else root.resolve()


def _is_in_programs(path: Path, root: Path) -> bool:
    try:
        folder = root / read_settings(root / CONFIG).programs
    except UsageError:
        folder = root / Settings.programs
    return path.resolve().is_relative_to(folder.resolve())


def _has_metadata(source: str) -> bool:
    block = metadata_block(source)
    return block is not None and "[tool.readhead]" in block[0]
