"""Where there is nothing to run yet, or nothing may run."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from editors.vscode.conftest import READHEAD, SETTINGS, make_workspace
from editors.vscode.workbench import CodeServer, Workbench
from server.programs import BROKEN, GOOD

pytestmark = pytest.mark.editors

Serve = Callable[..., CodeServer]
Open = Callable[[CodeServer, Path], Workbench]


def plain_workspace(root: Path) -> Path:
    """Without an environment of its own."""
    (root / "programs").mkdir(parents=True)
    (root / "readhead.toml").write_text(SETTINGS, "utf-8")
    (root / "programs" / "near.py").write_text(GOOD, "utf-8")
    return root


def test_a_missing_readhead_is_told_with_the_ways_out(server: CodeServer, open_window: Open, tmp_path: Path) -> None:
    window = open_window(server, plain_workspace(tmp_path / "missing"))
    window.status_shows("not found")
    toast = window.toasts.filter(has_text="the command readhead was not found")
    toast.get_by_role("button", name="Open Settings").wait_for()
    window.run("Notifications: Clear All Notifications")
    toast.wait_for(state="detached")
    window.run("Readhead: Restart the Engine")
    toast.get_by_role("button", name="Get Started").click()
    steps = window.page.locator(".gettingStartedContainer")
    for title in ("Install readhead", "Make a workspace", "Write a program for a head"):
        steps.get_by_text(title, exact=True).first.wait_for()

    (window.folder / ".venv" / "bin").mkdir(parents=True)
    (window.folder / ".venv" / "bin" / "readhead").symlink_to(READHEAD)
    steps.get_by_role("button", name="Look Again").click()
    window.status_shows("perplexity")


def python_extension(folder: Path, interpreter: Path) -> Path:
    """Answers as Microsoft's Python extension does by its documentation; that itself is in none of the registries."""
    described = {"publisher": "ms-python", "name": "python", "version": "1.0.0", "engines": {"vscode": "^1.100.0"}}
    chosen = json.dumps({"id": "chosen", "path": str(interpreter)})
    vsix = folder / "python.vsix"
    with zipfile.ZipFile(vsix, "w") as packed:
        packed.writestr(
            "extension/package.json", json.dumps({**described, "main": "./main.js", "activationEvents": []})
        )
        packed.writestr(
            "extension/main.js",
            f"exports.activate = async () => ({{ environments: {{ getActiveEnvironmentPath: () => ({chosen}) }} }});",
        )
    return vsix


def test_the_python_extensions_interpreter_is_looked_beside(serve: Serve, open_window: Open, tmp_path: Path) -> None:
    (tmp_path / "env" / "bin").mkdir(parents=True)
    (tmp_path / "env" / "bin" / "readhead").symlink_to(READHEAD)
    other = python_extension(tmp_path, tmp_path / "env" / "bin" / "python")
    window = open_window(serve(other), plain_workspace(tmp_path / "interpreted"))
    window.status_shows("perplexity")
    window.status.hover()
    window.page.locator(".monaco-hover").filter(has_text="(interpreter)").first.wait_for()


def test_a_folder_without_a_workspace_starts_nothing(server: CodeServer, open_window: Open, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "main.py").write_text("print(1)\n", "utf-8")
    window = open_window(server, folder)
    window.open(folder / "main.py")
    window.page.locator(".statusbar-item").filter(has_text="Python").first.wait_for()
    assert window.status.count() == 0


def test_an_untrusted_workspace_runs_nothing_until_it_is_trusted(
    serve: Serve, open_window: Open, tmp_path: Path
) -> None:
    root = plain_workspace(tmp_path / "untrusted")
    ran = tmp_path / "ran"
    theirs = root / "tool"
    theirs.write_text(f'#!/bin/sh\necho >> "{ran}"\nexec "{READHEAD}" "$@"\n', "utf-8")
    theirs.chmod(0o755)
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / ".venv" / "bin" / "readhead").symlink_to(theirs)
    (root / ".vscode").mkdir()
    (root / ".vscode" / "settings.json").write_text(json.dumps({"readhead.path": str(theirs)}), "utf-8")
    window = open_window(serve(trusts=False, **{"readhead.path": str(READHEAD)}), root)
    window.status_shows("restricted")
    window.open(root / "programs" / "near.py")
    window.lens("the workspace is not trusted").wait_for()
    window.replace(BROKEN)
    window.page.locator(".squiggly-error").first.wait_for()
    window.replace(GOOD)
    window.save()
    window.page.locator(".squiggly-error").first.wait_for(state="detached")
    assert not ran.exists()
    assert not (root / ".readhead").exists(), "no engine was started"

    window.run("Workspaces: Manage Workspace Trust")
    window.page.get_by_role("button", name="Trust", exact=True).first.click()
    window.status_shows("perplexity")
    assert ran.exists(), "the workspace's own settings hold now"
    window.open(root / "programs" / "near.py")
    window.lens(re.compile(r"^L0H3 IoU 0\.\d{3}")).wait_for()


def test_two_folders_in_one_window_are_a_workspace_each(
    server: CodeServer, open_window: Open, tmp_path: Path, program: Callable[[str], Path]
) -> None:
    first = program(GOOD)  # whose engine runs: another window's
    second = make_workspace(tmp_path / "second") / "programs" / "in_second.py"
    second.write_text(GOOD, "utf-8")
    both = tmp_path / "both.code-workspace"
    both.write_text(json.dumps({"folders": [{"path": str(path.parents[1])} for path in (first, second)]}), "utf-8")
    window = open_window(server, both)
    window.open(second)
    window.lens("L0H3 is neural: flip").click()
    flipped = re.compile(", 1 head")
    window.status_shows(flipped)
    window.open(first)
    window.lens("L0H3 is neural: flip").wait_for()
    window.status_shows(re.compile(r"perplexity \d+\.\d\d$"))
    window.open(second)
    window.lens("L0H3 is program: flip").wait_for()
    window.status_shows(flipped)


def test_the_workspaces_own_environment_is_found(window: Workbench) -> None:
    window.status.hover()
    window.page.locator(".monaco-hover").filter(has_text="(workspace)").first.wait_for()
