"""A real terminal: the app in tmux, with keys that are typed and screens that are read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import readhead
import readhead_programs
import readhead_tui

PATIENCE_S = 90.0
HAS_TMUX = shutil.which("tmux") is not None


class Terminal:
    """One tmux server with one pane."""

    def __init__(self, name: str, size: tuple[int, int], command: str, environment: dict[str, str]) -> None:
        self._socket = name
        width, height = size
        given = [each for key, value in environment.items() for each in ("-e", f"{key}={value}")]
        self._tmux("new-session", "-d", "-x", str(width), "-y", str(height), *given, command)

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-L", self._socket, "-f", os.devnull, *words], capture_output=True, text=True, check=True
        )
        return done.stdout

    def press(self, *keys: str) -> None:
        """Type keys, as tmux names them."""
        self._tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        """Type a text."""
        self._tmux("send-keys", "-l", text)

    def screen(self) -> str:
        """What is on it."""
        return self._tmux("capture-pane", "-p")

    def resize(self, width: int, height: int) -> None:
        """Another size."""
        self._tmux("resize-window", "-x", str(width), "-y", str(height))

    def until(self, holds: str | Callable[[str], object], patience: float = PATIENCE_S) -> str:
        """Wait until the screen has a text, or is as wanted; the screen."""
        is_so = holds if callable(holds) else lambda screen: holds in screen
        deadline = time.monotonic() + patience
        while not is_so(screen := self.screen()):
            assert time.monotonic() < deadline, f"not within {patience} s: {holds}; the screen:\n{screen}"
            time.sleep(0.05)  # tmux tells nobody when a screen changes
        return screen

    @property
    def pid(self) -> int:
        """Of what runs in the pane."""
        return int(self._tmux("display-message", "-p", "#{pane_pid}"))

    def close(self) -> None:
        """End it."""
        subprocess.run(["tmux", "-L", self._socket, "kill-server"], capture_output=True, check=False)


def command_of(root: Path) -> str:
    """What a user types; a line tells when it has ended, and a shell stays."""
    clean = "unset COLUMNS LINES"  # they would hide the terminal's size
    return f"{clean}; {sys.executable} -m readhead tui --workspace '{root}'; echo ended with status $?; exec sh"


@contextmanager
def terminal(root: Path, size: tuple[int, int], **environment: str) -> Iterator[Terminal]:
    """The app on a workspace."""
    packages = (readhead, readhead_programs, readhead_tui)
    roots = dict.fromkeys(str(Path(package.__file__ or "").parents[1]) for package in packages)
    settings = {
        "PYTHONPATH": os.pathsep.join(roots),
        "XDG_CONFIG_HOME": str(root.parent / "config"),
        "LANG": "C.UTF-8",
        "TERM": "tmux-256color",
        **environment,
    }
    found = Terminal(f"readhead-{os.getpid()}-{time.monotonic_ns()}", size, command_of(root), settings)
    try:
        yield found
    finally:
        found.close()
