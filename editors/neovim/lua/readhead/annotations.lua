-- What the server says of a text, on the text: code lenses, and what each term earns.
--
-- 1. The server tells of every change with `readhead/scored`, at the very first too: that is when things are asked for.
-- 2. Where the editor draws by itself it only has to be switched on; elsewhere the answer is drawn here.

local compat = require("readhead.compat")
local options = require("readhead.options")

local M = {}

local namespace = vim.api.nvim_create_namespace("readhead.blame")
-- By buffer: what was switched on there.
local switched = {}

local function document(buffer)
  return { uri = vim.uri_from_bufnr(buffer) }
end

--- Code lenses as they are now.
local function refresh_lenses(client, buffer)
  if compat.keeps_lenses() then
    if not switched[buffer].lenses then
      switched[buffer].lenses = true
      vim.lsp.codelens.enable(true, { bufnr = buffer })
    end
    return
  end
  -- Not `vim.lsp.codelens.refresh`, which does nothing while an earlier request is under way, whose answer is older.
  local params = { textDocument = document(buffer) }
  compat.request(client, "textDocument/codeLens", params, vim.lsp.codelens.on_codelens, buffer)
end

--- Draw hints behind their lines: before 0.10 there is no text within a line.
local function draw(client, buffer, hints)
  vim.api.nvim_buf_clear_namespace(buffer, namespace, 0, -1)
  local by_line = {}
  for _, hint in ipairs(hints) do
    local line = hint.position.line
    by_line[line] = by_line[line] or {}
    table.insert(by_line[line], hint)
  end
  for line, on_line in pairs(by_line) do
    local labels = vim.tbl_map(function(hint)
      return hint.label
    end, on_line)
    if line < vim.api.nvim_buf_line_count(buffer) then
      local text = { { " " .. table.concat(labels, " "), "ReadheadBlame" } }
      vim.api.nvim_buf_set_extmark(buffer, namespace, line, 0, { virt_text = text, hl_mode = "combine" })
    end
  end
  switched[buffer].drawn_by = client.id
end

--- What each term earns, as it is now.
local function refresh_blame(client, buffer)
  if compat.draws_hints() then
    if not switched[buffer].hints then
      switched[buffer].hints = true
      vim.lsp.inlay_hint.enable(true, { bufnr = buffer })
    end
    return
  end
  local last = vim.api.nvim_buf_line_count(buffer)
  local whole = { start = { line = 0, character = 0 }, ["end"] = { line = last, character = 0 } }
  local asked_at = vim.api.nvim_buf_get_changedtick(buffer)
  local params = { textDocument = document(buffer), range = whole }
  compat.request(client, "textDocument/inlayHint", params, function(err, hints)
    local is_of_this_text = vim.api.nvim_buf_is_loaded(buffer) and vim.api.nvim_buf_get_changedtick(buffer) == asked_at
    if not err and is_of_this_text then
      draw(client, buffer, hints or {})
    end
  end, buffer)
end

--- Something new is known of a buffer.
function M.refresh(client, buffer)
  switched[buffer] = switched[buffer] or {}
  require("readhead.colours").define()
  if options.current.lenses then
    refresh_lenses(client, buffer)
  end
  if options.current.blame then
    refresh_blame(client, buffer)
  end
end

--- A server has ended: nothing of what it said stays on a text as if it were current.
function M.forget(client_id)
  for buffer, on in pairs(switched) do
    if not vim.api.nvim_buf_is_valid(buffer) then
      switched[buffer] = nil
    else
      if on.drawn_by == client_id then
        vim.api.nvim_buf_clear_namespace(buffer, namespace, 0, -1)
      end
      -- Newer editors take their lenses off themselves; 0.7 has no function for it.
      local lenses = vim.api.nvim_create_namespace("vim_lsp_codelens:" .. client_id)
      vim.api.nvim_buf_clear_namespace(buffer, lenses, 0, -1)
    end
  end
end

return M
