-- Where things are: the workspace of a file, and the command of the language server.

local compat = require("readhead.compat")
local options = require("readhead.options")

local M = {}

M.SETTINGS = "readhead.toml"

--- The folder with a readhead.toml from a file upwards, without symbolic links; nil where there is none.
function M.root_of(path)
  if path == "" or path:match("^%a[%w+.-]*://") then
    return nil
  end
  local folder = vim.fn.fnamemodify(path, ":p:h")
  while true do
    if compat.uv.fs_stat(folder .. "/" .. M.SETTINGS) then
      return compat.uv.fs_realpath(folder)
    end
    local above = vim.fn.fnamemodify(folder, ":h")
    if above == folder then
      return nil
    end
    folder = above
  end
end

--- The workspace of a buffer; nil for a buffer of none.
function M.of(buffer)
  if vim.bo[buffer].buftype ~= "" then
    return nil
  end
  return M.root_of(vim.api.nvim_buf_get_name(buffer))
end

--- The path of `readhead`, and where it was found; nil, and in words where it was looked for.
function M.readhead(root)
  local own = options.current.cmd
  if own ~= nil then
    local path = type(own) == "table" and own[1] or own
    if vim.fn.executable(path) == 1 then
      return vim.fn.exepath(path), "option cmd" -- a relative path is one from the editor's folder
    end
    return nil, ("option cmd names %s, which cannot be run"):format(vim.inspect(path))
  end
  local looked = {}
  -- What lies in a workspace that is not trusted is not run.
  if options.trusts(root) then
    local inside = root .. "/.venv/bin/readhead"
    if vim.fn.executable(inside) == 1 then
      return inside, "the workspace's .venv"
    end
    looked[1] = inside
  end
  local outside = vim.fn.exepath("readhead")
  if outside ~= "" then
    return outside, "PATH"
  end
  looked[#looked + 1] = "PATH"
  return nil, ("it is not in %s"):format(table.concat(looked, ", nor in "))
end

--- The command that starts the language server; nil, and in words where `readhead` was looked for.
function M.command(root)
  local path, where = M.readhead(root)
  if path == nil then
    return nil, where
  end
  local own = options.current.cmd
  return type(own) == "table" and vim.list_extend({ path }, own, 2) or { path, "lsp" }, where
end

--- What to do where there is no `readhead`.
function M.cure(root)
  local name_it = 'or name it: require("readhead").setup({ cmd = { "/path/to/readhead", "lsp" } })'
  if options.trusts(root) then
    return "install it into the workspace's .venv or onto the PATH with `pip install readhead`, " .. name_it
  end
  return ("install it onto the PATH with `pip install readhead`, %s; "):format(name_it)
    .. "one of the workspace's own is looked for after `:Readhead trust`"
end

return M
