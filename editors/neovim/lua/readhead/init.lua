-- What users call: `setup`, and `status` for a statusline.

local client = require("readhead.client")
local options = require("readhead.options")
local workspace = require("readhead.workspace")

local M = {}

--- Take options; Python files that are open already are started too.
function M.setup(given)
  options.set(given)
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buffer) and vim.bo[buffer].filetype == "python" then
      M.file_opened(buffer)
    end
  end
end

--- Start for a Python file, where that is wanted and it lies in a workspace.
function M.file_opened(buffer)
  if options.current.autostart then
    client.start(buffer)
  end
end

--- The engine's state, in a few words: `readhead ready`; empty for a buffer that is in no workspace.
function M.status(buffer)
  buffer = buffer and buffer ~= 0 and buffer or vim.api.nvim_get_current_buf()
  local of = client.of(buffer)
  if of == nil then
    return workspace.of(buffer) and vim.bo[buffer].filetype == "python" and "readhead off" or ""
  end
  local told = client.told(of)
  local jobs = told.jobs > 0 and (" (%d job%s)"):format(told.jobs, told.jobs > 1 and "s" or "") or ""
  return ("readhead %s%s"):format(told.state, jobs)
end

return M
