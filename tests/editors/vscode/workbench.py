"""VS Code itself: code-server's workbench in a browser, and a hand on it that waits for what it wants to see."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FrameLocator, Locator, Page

Found = TypeVar("Found")

HERE: Final = Path(__file__).resolve().parent
PROJECT: Final = HERE.parents[2]
CACHE: Final = PROJECT / ".editors"
"""What `make test-editors` installs, and what tests leave when they fail."""
PATIENCE_S: Final = 45.0
"""For what takes a second on an idle machine."""
FLAGS: Final = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-component-update",
    "--disable-sync",
]  # fmt: skip
SETTINGS: Final[dict[str, Any]] = {
    "chat.disableAIFeatures": True,
    "editor.autoClosingBrackets": "never",
    "editor.autoIndent": "none",
    "editor.minimap.enabled": False,
    "extensions.autoCheckUpdates": False,
    "files.autoSave": "off",
    "telemetry.telemetryLevel": "off",
    "update.mode": "none",
    "workbench.colorTheme": "Default Dark Modern",
    "workbench.enableExperiments": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
}
_EXTENSION: Final = "readhead.readhead"


def until(holds: Callable[[], Found], what: str, patience: float = PATIENCE_S) -> Found:
    """Wait until something is true of a process or a file; what the page shows is waited for by the browser."""
    deadline = time.monotonic() + patience
    while not (found := holds()):
        assert time.monotonic() < deadline, f"not within {patience:.0f} s: {what}"
        time.sleep(0.02)
    return found


class CodeServer:
    """One server of one folder, with user data and extensions of its own."""

    def __init__(self, folder: Path, *extensions: Path, trusts: bool, path: str, settings: dict[str, Any]) -> None:
        self.folder = folder
        self._data = folder / "data"
        self._extensions = folder / "extensions"
        # Settings of the machine are those in which a path may stand: the browser's user may be at another one
        for kind, values in (("User", SETTINGS), ("Machine", settings)):
            (self._data / kind).mkdir(parents=True)
            (self._data / kind / "settings.json").write_text(json.dumps(values), "utf-8")
        (folder / "config.yaml").write_text("auth: none\n", "utf-8")
        self._environment = {**os.environ, "PATH": path, "HOME": str(folder)}
        # An editor that runs the tests would pass its own on
        for name in [name for name in self._environment if name.startswith(("VSCODE_", "XDG_"))]:
            del self._environment[name]
        subprocess.run(
            [*self._command(), *(word for vsix in extensions for word in ("--install-extension", str(vsix)))],
            env=self._environment, check=True, timeout=120, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        self.port = _free_port()
        trust = ["--disable-workspace-trust"] if trusts else []
        address = ["--auth", "none", "--bind-addr", f"127.0.0.1:{self.port}"]
        quiet = ["--disable-telemetry", "--disable-update-check", "--disable-getting-started-override"]
        self.log = folder / "code-server.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._command(), *address, *quiet, *trust], env=self._environment, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        until(self._answers, f"code-server answers; see {self.log}")

    def _command(self) -> list[str]:
        node = CACHE / "node_modules" / "node" / "bin" / "node"
        entry = CACHE / "node_modules" / "code-server" / "out" / "node" / "entry.js"
        own = ["--config", str(self.folder / "config.yaml"), "--user-data-dir", str(self._data)]
        return [str(node), str(entry), *own, "--extensions-dir", str(self._extensions)]

    def _answers(self) -> bool:
        assert self._process.poll() is None, self.log.read_text("utf-8", errors="replace")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def url(self, folder: Path) -> str:
        """Of a window that shows a folder, or those that a file `.code-workspace` names."""
        kind = "folder" if folder.is_dir() else "workspace"
        return f"http://127.0.0.1:{self.port}/?{kind}={folder}"

    def logs(self) -> str:
        """What the extension wrote in its output channel."""
        found = sorted(self._data.glob(f"logs/**/{_EXTENSION}/*.log"))
        return "\n".join(path.read_text("utf-8", errors="replace") for path in found)

    def end(self) -> None:
        """With all its children: they are a group of their own."""
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(15)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Workbench:
    """A window: what a user sees and does, by the page's own roles and classes."""

    def __init__(self, page: Page, server: CodeServer, folder: Path) -> None:
        self.page = page
        self.server = server
        self.folder = folder
        page.set_default_timeout(1000 * PATIENCE_S)
        page.goto(server.url(folder))
        page.locator(".monaco-workbench .part.statusbar").wait_for()

    # ---- doing -------------------------------------------------------------------------------------------------------

    def press(self, *keys: str) -> None:
        """Keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def run(self, command: str) -> None:
        """A command by its title in the palette."""
        from playwright.sync_api import TimeoutError as Late  # noqa: PLC0415 - as below

        box = self.page.locator(".quick-input-widget input")
        for attempt in range(5):
            self.page.keyboard.press("F1")
            try:
                box.fill(f">{command}", timeout=3000)
                break
            except Late:  # something that opened just then has taken the focus
                assert attempt < 4, f"the palette does not open for {command}"
        # The list is drawn anew while it is searched: only what is chosen when the key is pressed is run
        rows = self.page.locator(".quick-input-list .monaco-list-row")
        name = self.page.locator(".label-name", has_text=re.compile(rf"^{re.escape(command)}$"))
        rows.filter(has=name).first.wait_for()
        for _ in range(20):
            if self.page.locator(".quick-input-list .monaco-list-row.focused").filter(has=name).count():
                self.press("Enter")
                return
            self.press("ArrowDown")
        raise AssertionError(f"{command} is not in the palette")

    def open(self, path: Path, line: int | None = None) -> None:
        """A file in the editor, by its path."""
        place = "" if line is None else f":{line}"
        tab = self.page.locator(".tabs-container .tab").filter(has_text=path.name)
        self.page.keyboard.press("Control+P")
        box = self.page.locator(".quick-input-widget input")
        named = path.relative_to(self.folder) if path.is_relative_to(self.folder) else path.name
        box.fill(f"{named}{place}")
        self.page.locator(".quick-input-list .monaco-list-row.focused").filter(has_text=path.name).wait_for()
        self.page.keyboard.press("Enter")
        tab.first.wait_for()
        self.page.locator(".quick-input-widget").wait_for(state="hidden")

    def replace(self, text: str) -> None:
        """The active editor's whole text, as one edit: typing would indent by itself."""
        self.focus_editor()
        self.press("Control+A", "Delete")
        self.page.keyboard.insert_text(text)

    def save(self) -> None:
        """The active editor."""
        self.press("Control+S")

    def focus_editor(self) -> None:
        """The active editor group."""
        self.page.locator(".editor-group-container.active .monaco-editor .view-lines").first.click()

    def select(self, text: str, part: str) -> None:
        """Select a part of the text that the active editor shows."""
        before, found, _ = text.partition(part)
        assert found
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        self.focus_editor()
        self.press("Control+G")
        box = self.page.locator(".quick-input-widget input")
        box.fill(f":{line}:{column}")
        self.press("Enter")
        self.page.locator(".quick-input-widget").wait_for(state="hidden")
        self.page.locator("[id='status.editor.selection']").filter(has_text=f"Ln {line}, Col {column}").wait_for()
        self.press(*["Shift+ArrowRight"] * len(part))

    def choose(self, text: str | re.Pattern[str]) -> None:
        """In a list that is open below the command box."""
        self.page.locator(".quick-input-list .monaco-list-row").filter(has_text=text).first.click()

    # ---- seeing ------------------------------------------------------------------------------------------------------

    def lens(self, text: str | re.Pattern[str]) -> Locator:
        """A code lens."""
        return self.page.locator(".codelens-decoration a, .codelens-decoration > span").filter(has_text=text).first

    def lens_shows(self, text: str | re.Pattern[str]) -> str:
        """Wait until a lens does; all of it."""
        found = self.lens(text)
        found.wait_for()
        return (found.text_content() or "").replace("\xa0", " ")

    @property
    def status(self) -> Locator:
        """Our status bar item."""
        return self.page.locator(f".statusbar-item[id='{_EXTENSION}.readhead.status']")

    def status_shows(self, text: str | re.Pattern[str]) -> str:
        """Wait until it does; all of it."""
        found = self.status.filter(has_text=text)
        found.wait_for()
        return (found.text_content() or "").replace("\xa0", " ")

    def line(self, text: str | re.Pattern[str]) -> Locator:
        """A line of the active editor."""
        return self.page.locator(".monaco-editor .view-line").filter(has_text=text).first

    @property
    def toasts(self) -> Locator:
        """Notifications."""
        return self.page.locator(".notification-toast")

    @property
    def head_view(self) -> FrameLocator:
        """What our webview shows: a page in a page in the page."""
        return self.page.frame_locator("iframe.webview.ready").frame_locator("iframe#active-frame")

    def tree_row(self, text: str) -> Locator:
        """A row of the tree of heads, by how it begins."""
        return self.page.locator(".pane-body .monaco-list-row").filter(has_text=re.compile(f"^{text}")).first

    def show_heads(self) -> None:
        """The tree of heads."""
        self.run("Readhead: Focus on Heads View")
        self.tree_row("L0H0").wait_for()

    def tidy(self) -> None:
        """Close what is open, whether it is saved or not."""
        self.press("Escape")
        self.run("Notifications: Clear All Notifications")
        while self.page.locator(".tab.dirty").count():
            self.page.locator(".tab.dirty").first.click()
            self.run("File: Revert File")
            self.page.locator(".tab.active:not(.dirty)").first.wait_for()
        self.press("Control+K", "Control+W")
        self.page.locator(".tabs-container .tab").first.wait_for(state="detached")


@contextmanager
def browser() -> Iterator[Browser]:
    """Debian's Chromium, or the one that `CHROMIUM` names."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only these tests need it

    executable = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert executable is not None, "chromium is missing: apt-get install chromium"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield launched
        launched.close()
