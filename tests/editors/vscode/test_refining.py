"""A program that a language model revises: what it is worth, a preview, and the user's word."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from editors.vscode.conftest import make_workspace
from editors.vscode.workbench import CodeServer, Workbench, until
from ollama_stand_in import StandIn
from server.programs import GOOD

pytestmark = pytest.mark.editors

POOR = GOOD.replace("6.7 *", "0.3 *")
CLOSER = "def head(s):\n    return softmax(6.7 * s.decay(12) + 0.67 * s.previous(1))\n"


def test_a_refinement_is_previewed_declined_and_taken(
    server: CodeServer, open_window: Callable[..., Workbench], tmp_path: Path
) -> None:
    root = make_workspace(tmp_path / "refined")
    path = root / "programs" / "near.py"
    path.write_text(POOR, "utf-8")
    written = json.dumps({"programs": [{"explanation": "Fades.", "code": CLOSER}]})
    with StandIn(lambda _: written, {"coder": {"context_length": 32768}}) as model:
        with (root / "readhead.toml").open("a", encoding="utf-8") as settings:
            settings.write(f'\n[ollama]\nmodel = "coder"\nhost = {json.dumps(model.url)}\n')
        window = open_window(server, root)
        window.open(path)
        window.lens(re.compile(r"^L0H3 IoU 0\.\d{3} .*perplexity")).wait_for()
        worth = window.toasts.filter(has_text=re.compile(r"Refine near for L0H3: IoU .*0\.\d+ → 0\.\d+ \(dev\)"))
        preview = window.page.locator(".part.panel")

        window.run("Readhead: Refine with Ollama")
        preview.get_by_role("button", name="Discard").click()
        worth.wait_for()
        assert path.read_text("utf-8") == POOR
        assert not window.toasts.filter(has_text="did not apply").count()
        window.run("Notifications: Clear All Notifications")

        window.run("Readhead: Refine with Ollama")
        preview.locator(".monaco-list-row").filter(has_text="near.py").locator(".edit-checkbox").click()
        preview.get_by_role("button", name="Apply").click()
        window.line(re.compile("Fades")).wait_for()
        window.line(re.compile(r"0\.3\W\*")).wait_for(state="detached")
        window.save()
        text = until(lambda: path.read_text("utf-8") != POOR and path.read_text("utf-8"), "the program is replaced")
        assert '# heads = ["L0H3"]' in text, "its metadata stays"
