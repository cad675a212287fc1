"""The lines of `editors/README.md`: they can be read, and those for Emacs are run in it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from server.conftest import own_workspace
from server.editor import server_environment
from server.programs import BAD

__all__ = ["own_workspace"]

README = Path(__file__).parents[2] / "editors" / "README.md"
PATIENCE_S = 270

WAIT = """
(defun wait-for (what)
  (let ((ends (+ (float-time) 90)) found)
    (while (and (not (setq found (funcall what))) (< (float-time) ends))
      (accept-process-output nil 0.05))
    found))
"""
EGLOT = """
(find-file (getenv "PROGRAM"))
(run-hooks 'post-command-hook)
(wait-for (lambda () (and (eglot-managed-p) (flymake-diagnostics))))
(message "TOLD %S" (mapcar #'flymake-diagnostic-text (flymake-diagnostics)))
"""
LSP_MODE = """
(setq lsp-auto-guess-root t lsp-enable-suggest-server-download nil lsp-warn-no-matched-clients nil
      lsp-session-file (expand-file-name "session" (getenv "HOME")) lsp-enable-snippet nil)
(lsp-workspace-folders-add (getenv "WORKSPACE"))
(find-file (getenv "PROGRAM"))
(lsp)
(wait-for (lambda () (lsp--get-buffer-diagnostics)))
(message "TOLD %S" (mapcar #'lsp:diagnostic-message (lsp--get-buffer-diagnostics)))
(defun lenses ()
  (seq-filter (lambda (overlay) (overlay-get overlay 'lsp-lens)) (overlays-in (point-min) (point-max))))
(defun lens-texts ()
  (mapcar (lambda (lens) (or (overlay-get lens 'after-string) (overlay-get lens 'before-string))) (lenses)))
(lsp-lens-refresh t)
(wait-for (lambda () (seq-some (lambda (text) (string-match-p "IoU" text)) (lens-texts))))
(message "LENS %S" (lens-texts))
"""


def blocks(title: str, language: str) -> list[str]:
    """The code in a section of the page."""
    page, heading = README.read_text("utf-8"), f"\n## {title}\n"
    assert heading in page, page
    section = page.split(heading, 1)[1].split("\n## ", 1)[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


@pytest.mark.parametrize("title", ["Helix", "Zed"])
def test_toml_can_be_read(title: str) -> None:
    assert all(tomllib.loads(block) for block in blocks(title, "toml"))
    assert blocks(title, "toml")


@pytest.mark.parametrize("title", ["Zed", "Sublime Text", "Kate"])
def test_json_can_be_read(title: str) -> None:
    assert all(json.loads(block) for block in blocks(title, "json"))
    assert blocks(title, "json")


def in_emacs(package: str, lines: str, then: str, workspace: Path, home: Path) -> str:
    """What Emacs says, with the page's lines as a user's, and a `readhead` on the PATH."""
    emacs = shutil.which("emacs")
    if emacs is None:
        pytest.skip("Emacs is not installed; `make test-editors` installs it")
    has = f"(kill-emacs (if (progn (require 'package) (package-initialize) (require '{package} nil t)) 0 1))"
    if subprocess.run([emacs, "--batch", "--eval", has], capture_output=True, check=False).returncode:
        pytest.skip(f"Emacs has no {package}")
    program = workspace / "programs" / "near.py"
    program.write_text(BAD, "utf-8")
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "readhead").write_text(f'#!/bin/sh\nexec {sys.executable} -m readhead "$@"\n', "utf-8")
    (home / "bin" / "readhead").chmod(0o755)
    (home / "init.el").write_text(
        f"(require 'package) (package-initialize)\n{lines}\n(require '{package})\n{WAIT}\n{then}", "utf-8"
    )
    found = server_environment(HOME=str(home), PROGRAM=str(program), WORKSPACE=str(workspace))
    done = subprocess.run(
        [emacs, "--batch", "-l", str(home / "init.el")], env={**found, "PATH": f"{home / 'bin'}:{found['PATH']}"},
        capture_output=True, text=True, check=False, timeout=PATIENCE_S, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.stderr


@pytest.mark.editors
def test_eglot_shows_diagnostics(own_workspace: Path, tmp_path: Path) -> None:
    (lines,) = blocks("Emacs with eglot", "elisp")
    said = in_emacs("eglot", lines, EGLOT, own_workspace, tmp_path / "home")
    assert re.search(r"TOLD .*IoU 0\.\d+ is below the floor", said), said


@pytest.mark.editors
def test_lsp_mode_shows_diagnostics_and_lenses(own_workspace: Path, tmp_path: Path) -> None:
    (lines,) = blocks("Emacs with lsp-mode", "elisp")
    said = in_emacs("lsp-mode", lines, LSP_MODE, own_workspace, tmp_path / "home")
    assert re.search(r"TOLD .*IoU 0\.\d+ is below the floor", said), said
    assert re.search(r"LENS .*L0H3 IoU 0\.\d+", said), said
