"""From the command line to the app: the workspace, the user's preferences, a terminal."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

from textual.theme import BUILTIN_THEMES

from readhead.errors import UsageError
from readhead.workspace import Workspace
from readhead_tui.actions import ACTIONS
from readhead_tui.app import ReadheadApp
from readhead_tui.preferences import Preferences, preferences_file


def run(folder: Path | None) -> None:
    """Run the app on the workspace in `folder`, or the nearest one; where there is none, on one that leaves nothing.

    Raises:
        UsageError: if the terminal is none, `folder` no folder, or the preferences cannot be read.
        StoreError: if the workspace's state cannot be used.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("this is no terminal", hint="start it in one; `readhead explain` prints what it shows")
    if folder is not None and folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", hint="name a folder for --workspace")
    preferences = Preferences.read(preferences_file(), actions=ACTIONS, themes=frozenset(BUILTIN_THEMES))
    spare_collections()
    with Workspace.open(folder) as workspace:  # its settings are checked before the screen is taken
        ReadheadApp(workspace.root, preferences, lasts=workspace.lasts).run()


def spare_collections() -> None:
    """Let Python look for garbage less often: each look stops the app, a full one for a tenth of a second.

    Textual 8.2.8 makes seven caches for each line that it draws, so that with Python's own settings one key in seven
    would wait for it.
    """
    gc.freeze()  # what is loaded stays
    gc.set_threshold(20_000, 20, 20)
