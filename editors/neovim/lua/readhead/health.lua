-- `:checkhealth readhead`, for the buffer that was current.

local client = require("readhead.client")
local compat = require("readhead.compat")
local options = require("readhead.options")
local workspace = require("readhead.workspace")

local M = {}

-- 0.10 dropped `report_` from the names, 0.8 moved them to `vim.health`.
local report = vim.health or require("health")
local start = report.start or report.report_start
local ok = report.ok or report.report_ok
local info = report.info or report.report_info
local warn = report.warn or report.report_warn
local bad = report.error or report.report_error

--- The buffer from which the check was called: the check itself runs in one of its own.
local function current()
  local before = vim.fn.bufnr("#")
  for _, buffer in ipairs({ vim.api.nvim_get_current_buf(), before }) do
    if buffer > 0 and vim.api.nvim_buf_is_valid(buffer) and workspace.of(buffer) then
      return buffer
    end
  end
  for _, each in ipairs(compat.clients()) do
    if each.name == client.NAME then
      return next(each.attached_buffers)
    end
  end
  return before
end

local function check_editor()
  local version = vim.version()
  ok(("Neovim %d.%d.%d"):format(version.major, version.minor, version.patch))
  info("blame: " .. (compat.draws_hints() and "the editor's inlay hints" or "text behind the line"))
end

local function check_readhead(root)
  root = root or vim.fn.getcwd()
  local path, where = workspace.readhead(root)
  if path == nil then
    bad("there is no `readhead`: " .. where, { workspace.cure(root) })
    return
  end
  ok(("readhead: %s (%s)"):format(path, where))
end

local function check_workspace(buffer, root)
  local name = buffer > 0 and vim.api.nvim_buf_is_valid(buffer) and vim.api.nvim_buf_get_name(buffer) or ""
  if root == nil then
    warn(("no %s from %s upwards"):format(workspace.SETTINGS, name == "" and vim.fn.getcwd() or name), {
      "`readhead init` writes one; open a program of the workspace and check again",
    })
    return
  end
  ok("workspace: " .. root)
  if options.trusts(root) then
    info("it is trusted: its programs run")
  else
    warn("it is not trusted: nothing of it runs", { "`:Readhead trust`, or setup({ trusted = true })" })
  end
end

local function check_server(buffer)
  local of = buffer > 0 and client.of(buffer)
  if not of then
    warn("no language server is attached", { "`:Readhead restart server`, then `:Readhead log server`" })
    return
  end
  local told = client.told(of)
  ok(("language server: attached, version %s"):format(told.version or "unknown"))
  if told.state == "failed" then
    local err = type(told.error) == "table" and told.error or {}
    bad("engine: failed: " .. (err.message or ""), { err.hint or "", "`:Readhead log`, `:Readhead restart`" })
  elseif told.state == "ready" then
    ok("engine: ready" .. (told.jobs > 0 and (", busy with %d"):format(told.jobs) or ""))
  else
    info("engine: " .. told.state)
  end
end

function M.check()
  local buffer = current()
  local root = buffer > 0 and vim.api.nvim_buf_is_valid(buffer) and workspace.of(buffer) or nil
  start("Readhead")
  check_editor()
  check_readhead(root)
  check_workspace(buffer, root)
  check_server(buffer)
end

return M
