"""Commands of the palette: lists that they ask with, and what they say where they cannot do what they are for."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from editors.vscode.conftest import READHEAD, make_workspace
from editors.vscode.workbench import CodeServer, Workbench, until
from server.programs import GOOD

pytestmark = pytest.mark.editors

RECORDED = GOOD.replace(
    "# ///\n\n",
    '# [tool.readhead.recorded]\n# model = "bundled"\n# [tool.readhead.recorded.scores]\n# L0H3 = 0.9999\n# ///\n\n',
)
MAKE = "Make This Folder a Workspace"


def test_a_program_is_picked_by_size_and_iou(window: Workbench, program: Callable[[str], Path]) -> None:
    path = program(GOOD)
    window.open(path)
    window.lens(re.compile(r"^L0H3 IoU")).wait_for()
    window.run("Readhead: Pick a Program by Size and IoU")
    rows = window.page.locator(".quick-input-list .monaco-list-row")
    smallest = rows.filter(has_text=re.compile(r"^1 term(?!s)"))
    smallest.wait_for()
    found = [re.match(r"(\d+)\sterms?\s*IoU\s0\.\d{3}", row) for row in rows.all_inner_texts()]
    sizes = [int(row[1]) for row in found if row]
    assert len(sizes) == len(found) > 1
    assert sizes == sorted(set(sizes))
    assert rows.filter(has_text="worth its size").count() == 1
    smallest.click()
    window.line(re.compile("0.67")).wait_for(state="detached")
    window.save()
    text = until(lambda: path.read_text("utf-8") != GOOD and path.read_text("utf-8"), "the program is replaced")
    assert '# heads = ["L0H3"]' in text, "its metadata stays"
    window.lens(re.compile(r"^L0H3 IoU 0\.\d{3} .*perplexity")).wait_for()


def test_what_needs_a_workspace_offers_to_make_one(
    server: CodeServer, open_window: Callable[..., Workbench], tmp_path: Path
) -> None:
    folder = tmp_path / "none"
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "readhead").symlink_to(READHEAD)
    window = open_window(server, folder)
    window.page.get_by_role("tab", name="Readhead").wait_for()  # its commands are in the palette from then on
    for command in ("Restart the Engine", "Check the Recorded Scores", "Write a Program for a Head"):
        window.run(f"Readhead: {command}")
        offered = window.toasts.filter(has_text="no folder with a readhead.toml is open")
        offered.get_by_role("button", name=MAKE).wait_for()
        if command != "Write a Program for a Head":
            window.run("Notifications: Clear All Notifications")
            offered.wait_for(state="detached")
    offered.get_by_role("button", name=MAKE).click()
    window.page.locator(".tabs-container .tab").filter(has_text="readhead.toml").first.wait_for()
    window.status_shows(re.compile("loading|perplexity"))
    window.run("Readhead: Write a Program for a Head")
    asks = window.page.locator(".quick-input-widget input[placeholder='Write a program for which head?']")
    asks.wait_for()
    window.choose("L0H3")
    window.page.locator(".tabs-container .tab").filter(has_text="L0H3.py").first.wait_for()


def test_recorded_scores_are_found_through_a_link_and_a_check_can_be_stopped(
    server: CodeServer, open_window: Callable[..., Workbench], tmp_path: Path
) -> None:
    root = make_workspace(tmp_path / "real")
    started = tmp_path / "started"
    slow = root / ".venv" / "bin" / "readhead"
    slow.unlink()
    slow.write_text(f'#!/bin/sh\n[ "$1" = check ] && echo $$ > "{started}" && exec sleep 600\nexec "{READHEAD}" "$@"\n')
    slow.chmod(0o755)
    packages = root / "venv" / "lib"
    packages.mkdir(parents=True)
    (packages / "packaged.py").write_text(RECORDED, "utf-8")
    (tmp_path / "link").symlink_to(root)
    window = open_window(server, tmp_path / "link")
    window.status_shows("perplexity")
    window.run("Readhead: Check the Recorded Scores")
    window.toasts.filter(has_text="no program here has recorded scores").wait_for()

    path = tmp_path / "link" / "programs" / "near.py"
    path.write_text(RECORDED, "utf-8")
    row = window.page.locator(".test-explorer .monaco-list-row").filter(has_text="near")
    row.wait_for()
    window.run("Readhead: Check the Recorded Scores")
    process = Path("/proc") / until(lambda: started.exists() and started.read_text("utf-8").strip(), "the check runs")
    window.run("Test: Cancel Test Run")
    until(lambda: not process.exists(), "the check ends")
    row.locator(".codicon-testing-failed-icon, .codicon-testing-error-icon").wait_for(state="detached")

    slow.unlink()
    slow.symlink_to(READHEAD)
    window.run("Readhead: Check the Recorded Scores")
    row.locator(".codicon-testing-failed-icon").wait_for()
    assert window.page.locator(".test-explorer .monaco-list-row").filter(has_text="packaged").count() == 0
