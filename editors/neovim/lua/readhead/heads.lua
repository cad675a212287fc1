-- All heads of a workspace's model, as a list.

local client = require("readhead.client")
local compat = require("readhead.compat")

local M = {}

-- By client: the names of all heads, which a model keeps.
local names = {}

--- The engine is in another state: the settings may name another model.
function M.forget(of)
  names[of.id] = nil
end

local function params(source)
  return { uri = vim.uri_from_bufnr(source) }
end

--- Names of all heads, for completion; none while the engine does not answer.
function M.names(source, patience_ms)
  local of = client.of(source)
  if of == nil then
    return {}
  end
  if names[of.id] == nil and client.told(of).state == "ready" then
    local answer = compat.request_sync(of, "readhead/heads", params(source), patience_ms, source)
    local result = answer and answer.result
    names[of.id] = result and vim.tbl_map(function(card)
      return card.head
    end, result.cards)
  end
  return names[of.id] or {}
end

local function number(value)
  return type(value) == "number" and ("%.3f"):format(value) or "-"
end

local function line_of(card)
  local best = type(card.best) == "string" and card.best or ""
  local note = card.inactive and "inactive" or best
  return ("%-7s %-8s %9s  %-16s %5s  %s"):format(
    card.head,
    card.mode,
    number(card.best_iou),
    card.trivial,
    number(card.trivial_iou),
    note
  )
end

local function show(source, result)
  local flipped = vim.tbl_count(result.board)
  local title = ("%s · %d heads, %d in program mode · IoU on dev · %s"):format(
    result.model,
    #result.cards,
    flipped,
    "<CR> heat map, c new program, q close"
  )
  local header = ("%-7s %-8s %9s  %-16s %5s  %s"):format("head", "mode", "best IoU", "floor", "IoU", "best program")
  local lines = { title, header }
  for _, card in ipairs(result.cards) do
    table.insert(lines, line_of(card))
  end
  local buffer = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, lines)
  vim.bo[buffer].modifiable = false
  vim.bo[buffer].bufhidden = "wipe"
  vim.bo[buffer].filetype = "readhead"
  vim.cmd(("botright %dsplit"):format(math.min(#lines, 15)))
  vim.api.nvim_win_set_buf(0, buffer)
  vim.wo.cursorline = true
  vim.wo.wrap = false
  vim.api.nvim_win_set_cursor(0, { math.min(3, #lines), 0 })

  local function on_head(action)
    return function()
      local head = vim.api.nvim_get_current_line():match("^L%d+H%d+")
      if head then
        action(head)
      end
    end
  end
  local keys = {
    ["<CR>"] = on_head(function(head)
      require("readhead.map").open(source, head)
    end),
    c = on_head(function(head)
      vim.cmd("close")
      require("readhead.commands").create(source, head)
    end),
    q = function()
      vim.cmd("close")
    end,
  }
  for key, action in pairs(keys) do
    vim.keymap.set("n", key, action, { buffer = buffer, nowait = true })
  end
end

--- Show the list, with a buffer's program for heat maps.
function M.open(source)
  local of = assert(client.of(source))
  compat.request(of, "readhead/heads", params(source), function(err, result)
    if err then
      client.say("Readhead: " .. err.message, vim.log.levels.ERROR)
    else
      show(source, result)
    end
  end, source)
end

return M
