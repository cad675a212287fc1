"""Which program files of a folder have changed, as an editor or the command line leaves them."""

from __future__ import annotations

import os
from pathlib import Path

Stamps = dict[str, tuple[int, int]]
"""Paths with time of change (ns) and size."""


def stamps_of(folder: Path) -> Stamps:
    """Of the `.py` files below a folder; nothing where there is none."""
    found: Stamps = {}
    for where, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".py"):
                path = os.path.join(where, name)  # noqa: PTH118 - many files, every half second
                try:
                    state = os.stat(path)  # noqa: PTH116 - as above
                except OSError:
                    continue  # it has just gone
                found[path] = (state.st_mtime_ns, state.st_size)
    return found


def changed(before: Stamps, now: Stamps) -> set[str]:
    """Files that are new, gone or other than before."""
    return {path for path in before.keys() | now.keys() if before.get(path) != now.get(path)}
