"""Opening a file in the user's editor, while the app is not on the screen."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

_USUAL = ("nano", "vi", "notepad")


def editor() -> list[str]:
    """The command that `VISUAL` or `EDITOR` names, or an editor that is installed; empty if there is none."""
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if named:
        return shlex.split(named)
    found = next((path for name in _USUAL if (path := shutil.which(name))), None)
    return [found] if found else []


def edit(path: Path) -> str:
    """Wait until the user has left the editor; what went wrong, or nothing."""
    command = editor()
    if not command:
        return "there is no editor: set EDITOR"
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for the editor
    try:
        status = subprocess.run([*command, str(path)], check=False).returncode  # noqa: S603 - the user's own command
    except OSError as error:
        return f"{shlex.join(command)} cannot be run: {error.strerror}; set EDITOR"
    finally:
        signal.signal(signal.SIGINT, before)
    return f"{shlex.join(command)} ended with status {status}" if status else ""
