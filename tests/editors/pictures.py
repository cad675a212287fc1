"""Draws the pictures of the editors' pages from the real thing, after `make test-editors`, with tmux for Neovim's."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from editors.neovim_in_tests import CURRENT, PLUGIN
from editors.vscode.conftest import NOWHERE, READHEAD, VSIX
from editors.vscode.workbench import PROJECT, CodeServer, Workbench, browser, until

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MEDIA = PROJECT / "editors" / "vscode" / "media"
DOCS = PROJECT / "docs" / "editors"
PATIENCE_S = 180
THEME = TerminalTheme((20, 22, 27), (224, 226, 234), [(0, 0, 0)] * 8)
"""Of Neovim; it names all other colours itself."""
PROGRAM = '''"""Fading over the last tokens; the one before counts twice."""

# /// script
# [tool.readhead]
# heads = ["L0H3"]
# category = "sequential and induction"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(
        6.7 * s.decay(12)
        - 1.4 * s.query.is_continuation * s.key.is_continuation
        + 0.67 * s.previous(1)
    )
'''


def make_demo(folder: Path) -> Path:
    """A workspace with one program, as it was before its last edit."""
    root = folder / "demo"
    (root / "programs").mkdir(parents=True)
    (root / "readhead.toml").write_text('model = "bundled"\nlength = 32\n', "utf-8")
    (root / "programs" / "fading.py").write_text(PROGRAM.replace("6.7", "4.0"), "utf-8")
    return root


def draw_vscode(folder: Path, chromium: Browser) -> None:
    """Each picture when what it is about is there."""
    root = make_demo(folder)
    server = CodeServer(folder / "server", VSIX, trusts=True, path=NOWHERE, settings={"readhead.path": str(READHEAD)})
    try:
        page = chromium.new_page(viewport={"width": 1520, "height": 820})
        window = Workbench(page, server, root)
        page.set_default_timeout(1000 * PATIENCE_S)
        window.status_shows(re.compile("perplexity"))
        window.show_heads()
        window.open(root / "programs" / "fading.py")
        window.lens(re.compile(r"rank .*perplexity")).wait_for()
        window.run("Readhead: Show the Head Beside the Editor")
        view = window.head_view
        view.get_by_label("Texts from the worst on").locator("option").first.wait_for(state="attached")
        window.select(PROGRAM, "6.7")
        page.keyboard.insert_text("6.7")
        window.save()
        page.wait_for_function(_CHANGE_IS_SHOWN)
        window.run("Readhead: Flip the Program's Head")  # to click a lens would scroll to it
        window.lens("L0H3 is program: flip").wait_for()
        window.status_shows("1 head")
        view.locator(".mode").filter(has_text="program").wait_for()
        window.lens(re.compile(r"perplexity [^(]*\]$")).wait_for()
        view.locator("#pattern").hover(position={"x": 90, "y": 150})
        page.screenshot(path=MEDIA / "head.png")
        window.run("Preferences: Color Theme")
        page.locator(".quick-input-widget input").fill("Light Modern")
        page.locator(".quick-input-list .monaco-list-row").filter(has_text="Light Modern").first.click()
        page.locator(".monaco-workbench.vs").wait_for()
        view.locator("body.vscode-light").wait_for()
        page.screenshot(path=MEDIA / "light.png")
        window.run("Readhead: Show Where the Program Fails")
        page.locator(".tab").filter(has_text="failures.md").wait_for()
        window.line(re.compile("neural")).wait_for()
        page.screenshot(path=MEDIA / "failures.png")
        page.close()
        draw_findings(chromium, server, root)
    finally:
        server.end()


_CHANGE_IS_SHOWN = """
() => [...document.querySelectorAll(".view-line span[class*=ced-]")]
  .some((span) => getComputedStyle(span, "::after").content.includes("→"))
"""


def draw_findings(chromium: Browser, server: CodeServer, root: Path) -> None:
    """A program that breaks the rules, with the ways out of it."""
    page = chromium.new_page(viewport={"width": 1100, "height": 680})
    window = Workbench(page, server, root)
    page.set_default_timeout(1000 * PATIENCE_S)
    window.status_shows(re.compile("perplexity"))
    path = root / "programs" / "broken.py"
    path.write_text(PROGRAM.replace("s.previous(1)", "s.previos(1)"), "utf-8")
    window.open(path)
    page.locator(".squiggly-error").first.wait_for()
    window.lens("not run: 1 finding").wait_for()
    window.run("Problems: Focus on Problems View")
    page.locator(".markers-panel .monaco-list-row").filter(has_text="previos").first.wait_for()
    window.select(path.read_text("utf-8"), "previos")
    window.press("Control+.")
    page.locator(".action-widget .monaco-list-row").first.wait_for()
    page.screenshot(path=DOCS / "findings.png")
    page.close()


def draw_missing(folder: Path, chromium: Browser) -> None:
    """A machine without `readhead`."""
    server = CodeServer(folder / "server", VSIX, trusts=True, path=NOWHERE, settings={})
    try:
        page = chromium.new_page(viewport={"width": 1100, "height": 560})
        window = Workbench(page, server, make_demo(folder))
        window.status_shows("not found")
        toast = window.toasts.filter(has_text="the command readhead was not found")
        toast.get_by_role("button", name="Get Started").click()
        steps = page.locator(".gettingStartedContainer")
        steps.get_by_text("Make a workspace", exact=True).first.wait_for()
        page.screenshot(path=DOCS / "missing.png")
        page.close()
    finally:
        server.end()


def draw_neovim(folder: Path) -> None:
    """A program and its head's window, in a terminal."""
    tmux = shutil.which("tmux")
    assert tmux is not None, "tmux is missing: apt-get install tmux"
    root = make_demo(folder)
    (root / "programs" / "fading.py").write_text(PROGRAM, "utf-8")
    start = folder / "share" / "nvim" / "site" / "pack" / "readhead" / "start"
    start.mkdir(parents=True)
    (start / "readhead").symlink_to(PLUGIN)
    (folder / "config" / "nvim").mkdir(parents=True)
    (folder / "config" / "nvim" / "init.vim").write_text("set number termguicolors laststatus=0\n", "utf-8")
    places = {f"XDG_{kind}_HOME": str(folder / kind.lower()) for kind in ("CONFIG", "STATE", "CACHE")}
    places |= {"XDG_DATA_HOME": str(folder / "share"), "PATH": f"{READHEAD.parent}:{os.environ['PATH']}"}
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "TMUX"}}
    columns, rows = 140, 36

    def ask(*words: str) -> str:
        command = [tmux, "-S", str(folder / "socket"), *words]
        return subprocess.run(command, env=environment | places, check=True, capture_output=True, text=True).stdout

    def shows(what: Callable[[str], object]) -> None:
        until(lambda: what(ask("capture-pane", "-p")), "Neovim shows it", PATIENCE_S)

    ask("new-session", "-d", "-x", str(columns), "-y", str(rows), f"cd {root} && {CURRENT} programs/fading.py")
    try:
        shows(lambda screen: re.search(r"IoU .*perplexity", screen) and re.search(r"decay\(12\) −0\.\d\d", screen))
        ask("send-keys", ":Readhead head", "Enter")
        shows(lambda screen: "q close" in screen)
        ask("send-keys", "h", "h")
        drawn = ask("capture-pane", "-p", "-e")
    finally:
        ask("kill-server")
    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line in drawn.rstrip("\n").split("\n"):
        console.print(Text.from_ansi(line), no_wrap=True, overflow="crop", soft_wrap=True)
    console.save_svg(str(DOCS / "neovim.svg"), title="nvim programs/fading.py", theme=THEME)


if __name__ == "__main__":
    DOCS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as given:
        for number, draw in enumerate((draw_vscode, draw_missing)):
            with browser() as launched:
                draw(Path(given) / str(number), launched)
        draw_neovim(Path(given) / "neovim")
