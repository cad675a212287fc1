"""Files that change outside the editor: settings of a workspace, programs of its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pygls.uris import to_fs_path

from readhead.settings import CONFIG
from readhead_server.documents import open_document

if TYPE_CHECKING:
    from lsprotocol import types as lsp

    from readhead_server.server import ReadheadServer


def files_changed(ls: ReadheadServer, changes: Sequence[lsp.FileEvent]) -> None:
    """Start engines again whose settings changed; measure and rank programs again."""
    paths = {Path(name): change.uri for change in changes if (name := to_fs_path(change.uri))}
    settings = [path for path in paths if path.name == CONFIG]
    for path in settings:
        project = ls.projects.get(path.parent.resolve())
        if project is not None:
            project.restart()
    if settings:
        ls.reconsider()
    for path, uri in paths.items():
        if path.suffix == ".py":
            _program_changed(ls, path, uri)


def _program_changed(ls: ReadheadServer, path: Path, uri: str) -> None:
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError):
        text = ""  # it is gone
    on_disk = open_document(uri, None, text, ls.units)
    project = None if on_disk is None else ls.projects.get(on_disk.root)
    if on_disk is None or project is None:
        return
    document = ls.open_at(path)
    if document is not None and document.stamp == on_disk.stamp:
        project.measure_unless_known(document)
    project.rank_soon()
