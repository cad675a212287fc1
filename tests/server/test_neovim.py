"""Neovim, which pulls no diagnostics and says nothing of code lenses, shows both."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from server.editor import server_command, server_environment
from server.programs import BAD

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("nvim") is None, reason="Neovim is not installed; `.ci/run` installs it"),
]

SCRIPT = """
local given = vim.fn.json_decode(vim.env.READHEAD_TEST)
local told = { messages = {} }

local function finish(status)
  local file = io.open(given.answer, "w")
  file:write(vim.fn.json_encode(told))
  file:close()
  vim.cmd(status == 0 and "qall!" or "cquit!")
end

vim.cmd("edit " .. vim.fn.fnameescape(given.path))
local buffer = vim.api.nvim_get_current_buf()
local client = vim.lsp.start_client({
  name = "readhead", cmd = given.command, root_dir = given.root,
  handlers = {
    ["readhead/state"] = function() end, ["readhead/scored"] = function() end,
    ["readhead/busy"] = function() end, ["readhead/progress"] = function() end,
  },
})
vim.lsp.buf_attach_client(buffer, client)

local function described(each)
  return { source = each.source, message = each.message, lnum = each.lnum, col = each.col, end_col = each.end_col }
end

local function initialized()
  return vim.lsp.buf_get_clients(buffer)[client] ~= nil
end

vim.wait(given.patience, initialized, 50)
local shown = vim.wait(given.patience, function()
  vim.lsp.codelens.refresh()
  told.diagnostics = vim.tbl_map(described, vim.diagnostic.get(buffer))
  told.lenses = vim.tbl_map(function(lens) return lens.command.title end, vim.lsp.codelens.get(buffer))
  return #told.diagnostics > 0 and #told.lenses > 0 and string.find(told.lenses[1], "IoU") ~= nil
end, 100)
vim.lsp.stop_client(client)
finish(shown and 0 or 1)
"""


def test_pushed_diagnostics_and_lenses_are_shown(program_file: Path, tmp_path: Path) -> None:
    text = BAD.replace("-40 * s", '-40 * (s.key.is_one_of({"😀"}) + 1) * s')
    program_file.write_text(text, "utf-8")
    (tmp_path / "test.lua").write_text(SCRIPT, "utf-8")
    given = {
        "answer": str(tmp_path / "answer.json"),
        "path": str(program_file),
        "root": str(program_file.parents[1]),
        "command": server_command(),
        "patience": 30_000,
    }
    subprocess.run(
        ["nvim", "--headless", "-u", "NONE", "-i", "NONE", "-n", "-c", f"luafile {tmp_path / 'test.lua'}"],
        env=server_environment(READHEAD_TEST=json.dumps(given), HOME=str(tmp_path)),
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    told = json.loads(Path(given["answer"]).read_text("utf-8"))
    assert told["lenses"], told
    assert told["lenses"][0].startswith("L0H3 IoU 0."), told
    score = next(each for each in told["diagnostics"] if "below the floor" in each["message"])
    assert (score["source"], score["lnum"]) == ("readhead-score", 7)
