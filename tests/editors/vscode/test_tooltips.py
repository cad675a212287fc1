"""What a pointer that rests shows of program files, which anyone may have written."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from editors.vscode.workbench import Workbench, until
from server.programs import GOOD

pytestmark = pytest.mark.editors

DOCSTRING = (
    "Looks *near* ![seen](https://example.invalid/seen.png) and says so in a text that is longer than a line of the "
    "hover, which is broken at one of its spaces"
)


def test_a_docstring_stands_in_the_tree_as_it_was_written(window: Workbench, program: Callable[[str], Path]) -> None:
    asked: list[str] = []
    window.page.on("request", lambda request: asked.append(request.url))
    for other in (window.folder / "programs").glob("*.py"):
        other.unlink()  # of an earlier test, which may explain the head better
    window.open(program(GOOD.replace("\n\ndef head", f'\n"""{DOCSTRING}."""\n\n\ndef head')))
    window.lens(re.compile("perplexity")).wait_for()
    window.show_heads()
    row = window.tree_row(r"L0H3.*IoU 0\.\d{3}")
    row.wait_for()
    hover = window.page.locator(".monaco-hover").filter(has_text="Looks *near* ![seen]")

    def shown() -> bool:
        """The tree may be drawn anew under the pointer, which then has to come again."""
        window.page.mouse.move(700, 600)
        row.locator(".monaco-icon-label").hover()
        window.page.wait_for_timeout(1500)
        return hover.count() > 0

    until(shown, "the hover")
    assert DOCSTRING in re.sub(r"\s+", " ", hover.inner_text())
    assert hover.locator("img, a").count() == 0
    assert not [url for url in asked if "example.invalid" in url]
