"""Draws the pictures of the extension's README from the real thing: `python tests/editors/vscode/pictures.py`."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from editors.vscode.conftest import NOWHERE, READHEAD, VSIX
from editors.vscode.workbench import PROJECT, CodeServer, Workbench, browser

MEDIA = PROJECT / "editors" / "vscode" / "media"
PROGRAM = '''"""Fading over the last tokens; the one before counts twice, and words that go on are looked past."""

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


def draw(folder: Path) -> None:
    """Each picture when what it is about is there."""
    root = folder / "demo"
    (root / "programs").mkdir(parents=True)
    (root / "readhead.toml").write_text('model = "bundled"\nlength = 32\n', "utf-8")
    (root / "programs" / "fading.py").write_text(PROGRAM, "utf-8")
    server = CodeServer(folder / "server", VSIX, trusts=True, path=NOWHERE, settings={"readhead.path": str(READHEAD)})
    try:
        with browser() as chromium:
            page = chromium.new_page(viewport={"width": 1360, "height": 800})
            window = Workbench(page, server, root)
            page.set_default_timeout(180_000)
            window.status_shows(re.compile("perplexity"))
            window.show_heads()
            window.open(root / "programs" / "fading.py")
            window.lens(re.compile(r"rank .*perplexity")).wait_for()
            window.run("Readhead: Show the Head Beside the Editor")
            view = window.head_view
            view.get_by_label("Texts from the worst on").locator("option").first.wait_for(state="attached")
            window.tree_row("L0H3").get_by_role("checkbox").click()
            window.status_shows("1 head")
            view.locator(".mode").filter(has_text="program").wait_for()
            window.lens("L0H3 is program").wait_for()
            view.locator("#pattern").hover(position={"x": 90, "y": 150})
            page.screenshot(path=MEDIA / "head.png")
            window.run("Preferences: Color Theme")
            page.locator(".quick-input-widget input").fill("Light Modern")
            page.locator(".quick-input-list .monaco-list-row").filter(has_text="Light Modern").first.click()
            page.locator(".monaco-workbench.vs").wait_for()
            view.locator("body.vscode-light").wait_for()
            page.screenshot(path=MEDIA / "light.png")
            window.lens(re.compile("IoU")).click()
            page.locator(".tab").filter(has_text="failures.md").wait_for()
            window.line(re.compile("neural")).wait_for()
            page.screenshot(path=MEDIA / "failures.png")
    finally:
        server.end()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as given:
        draw(Path(given))
