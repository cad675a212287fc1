-- Pages of where a program fails: buffers that are named by their address, with the server's text.
--
-- `readhead://failures/<path of the program>/<head>/failures.md` is the worst text, with a number behind the head
-- another one. Whatever opens such an address gets its page: `:edit`, a link of a page, the server.

local client = require("readhead.client")
local compat = require("readhead.compat")

local M = {}

--- The address of a page; without a number that of the worst text.
local function address(path, head, number)
  return ("readhead://failures/%s/%s/%sfailures.md"):format(path, head, number and number .. "/" or "")
end

--- An address as it names its buffer: links in pages are quoted.
local function plain(uri)
  return (uri:gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

--- Any of our servers: each can tell of every open program, and of those on the disk.
local function any_client(path)
  local buffer = vim.fn.bufnr(path)
  local own = buffer > 0 and client.of(buffer)
  if own then
    return own
  end
  for _, each in ipairs(compat.clients()) do
    if each.name == client.NAME then
      return each
    end
  end
end

local function write(buffer, text)
  vim.bo[buffer].modifiable = true
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, vim.split(text, "\n", { plain = true }))
  vim.bo[buffer].modifiable = false
  vim.bo[buffer].modified = false
end

--- Follow the link under the cursor, or the next one of its line.
local function follow()
  local line, column = vim.api.nvim_get_current_line(), vim.api.nvim_win_get_cursor(0)[2] + 1
  local last
  for uri, behind in line:gmatch("%[[^%]]*%]%((readhead://[^%)]*)%)()") do
    last = uri
    if column < behind then
      break
    end
  end
  if last then
    vim.cmd("edit " .. vim.fn.fnameescape(plain(last)))
  end
end

--- Ask for a page's text again.
local function ask(buffer)
  local name = vim.api.nvim_buf_get_name(buffer)
  local path = name:match("^readhead://failures/(.-)/L%d+H%d+/") or ""
  local of = any_client(path)
  if of == nil then
    write(buffer, "No Readhead is running for " .. path)
    return
  end
  compat.request(of, "workspace/textDocumentContent", { uri = name }, function(err, result)
    if vim.api.nvim_buf_is_loaded(buffer) then
      write(buffer, err and err.message or result.text)
    end
  end, buffer)
end

--- Fill a buffer whose name is an address.
function M.read(buffer)
  vim.bo[buffer].buftype = "nofile"
  vim.bo[buffer].swapfile = false
  vim.bo[buffer].filetype = "markdown"
  local keys = { buffer = buffer, desc = "Readhead: follow the link" }
  vim.keymap.set("n", "<CR>", follow, keys)
  vim.keymap.set("n", "gf", follow, keys)
  write(buffer, "…")
  ask(buffer)
end

--- A page says something else by now.
function M.refresh(uri)
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buffer) and vim.api.nvim_buf_get_name(buffer) == plain(uri) then
      ask(buffer)
    end
  end
end

--- Show where a program fails on a head, in a window of its own.
function M.open(path, head, number)
  local name = address(path, head, number)
  local window = vim.fn.bufwinid(name)
  if window ~= -1 then
    vim.api.nvim_set_current_win(window)
  end
  vim.cmd((window == -1 and "split " or "edit ") .. vim.fn.fnameescape(name))
end

return M
