-- A head's text heat map, in a floating window: its pattern above, the program's prediction below, numbers beside.
--
-- The row under the cursor is shown: the tokens that one query looks at, each with its weight in tenths and tinted by
-- it. The text of the window is made anew for every query, and the cursor set on the query again.

local client = require("readhead.client")
local colours = require("readhead.colours")
local compat = require("readhead.compat")

local M = {}

local namespace = vim.api.nvim_create_namespace("readhead.map")
local KEYS = " h l query · n p text · t own text · f failures · q close"
-- Keys that are written with their numbers; the others are counted.
local MOST = 8
local LABEL = 14
local BAR = 10
local SHOWN = 0.05

-- The window that is open: buffer, window, source (the program's buffer, which may be gone), path (of the program),
-- head, place (what was asked for), result, query, tokens (where each stands in the buffer), stale (why it is of an
-- older text).
local open

-- ---- what stands in the window --------------------------------------------------------------------------------------

--- A token on one line: what cannot be printed stands there as its escape.
local function printable(token)
  return (
    token:gsub("[%c\127]", function(character)
      local names = { ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r" }
      return names[character] or ("\\x%02x"):format(character:byte())
    end)
  )
end

local function padded(text, width)
  local wide = vim.fn.strdisplaywidth(text)
  if wide > width then
    text = vim.fn.strcharpart(text, 0, width - 1) .. "…"
    wide = vim.fn.strdisplaywidth(text)
  end
  return text .. (" "):rep(width - wide)
end

--- A buffer's text in the making: lines, and what is coloured in them.
local Text = {}
Text.__index = Text

function Text.new()
  return setmetatable({ lines = { "" }, marks = {}, tokens = {} }, Text)
end

--- Put a piece at the end, in the colours of a group where one is given; where it stands.
function Text:put(piece, group)
  local row = #self.lines
  local start = #self.lines[row]
  self.lines[row] = self.lines[row] .. piece
  if group and piece ~= "" then
    table.insert(self.marks, { row - 1, start, start + #piece, group })
  end
  return { row = row - 1, first = start, last = start + #piece }
end

function Text:next_line()
  table.insert(self.lines, "")
end

function Text:width()
  return vim.fn.strdisplaywidth(self.lines[#self.lines])
end

--- The tokens of a text with what one query looks at: `Once upon a time[3] ,[6] >there<`.
local function put_strip(text, which, shown, weights, width)
  for place, token in ipairs(shown.result.tokens) do
    local key = place - 1
    local seen = key <= shown.query
    local word = printable(token)
    local space = word:match("^ ") or ""
    word = word:gsub("^ +", "")
    if key == shown.query then
      word = ">" .. word .. "<"
    end
    local weight = seen and weights[place] or 0
    local tenths = weight >= SHOWN and ("[%d]"):format(math.max(1, math.min(9, math.floor(weight * 10 + 0.5)))) or ""
    if text:width() + vim.fn.strdisplaywidth(space .. word .. tenths) > width then
      text:next_line()
      space = ""
    end
    text:put(space)
    local group = seen and colours.group(weight) or not seen and "ReadheadUnseen" or nil
    local at = text:put(word .. tenths, group)
    if key == shown.query then
      table.insert(text.marks, { at.row, at.first, at.last, "ReadheadQuery" })
    end
    table.insert(text.tokens, { which = which, key = key, row = at.row, first = at.first, last = at.last })
  end
  text:next_line()
end

--- The keys that matter for a query, in the order of the text; and what is left of each row.
local function choose(shown, neural, program)
  local keys = {}
  for key = 0, shown.query do
    table.insert(keys, key)
  end
  local function most(key)
    return math.max(neural[key + 1], program and program[key + 1] or 0)
  end
  table.sort(keys, function(one, other)
    if most(one) == most(other) then
      return one < other
    end
    return most(one) > most(other)
  end)
  local chosen, rest = {}, { count = 0, neural = 0, program = 0 }
  for _, key in ipairs(keys) do
    if #chosen < MOST and (most(key) >= SHOWN or #chosen == 0) then
      table.insert(chosen, key)
    else
      rest.count = rest.count + 1
      rest.neural = rest.neural + neural[key + 1]
      rest.program = rest.program + (program and program[key + 1] or 0)
    end
  end
  table.sort(chosen)
  return chosen, rest
end

local function put_weight(text, weight)
  text:put(("  %.2f "):format(weight))
  local long = math.floor(weight * BAR + 0.5)
  text:put(("█"):rep(long), "ReadheadBar")
  text:put((" "):rep(BAR - long))
end

--- The row in numbers.
local function put_numbers(text, shown, neural, program)
  text:put(("%5s  %s"):format("key", padded("token", LABEL)), "ReadheadTitle")
  text:put(("  %s  %s"):format(padded("neural", BAR + 5), program and "program" or ""), "ReadheadTitle")
  text:next_line()
  local chosen, rest = choose(shown, neural, program)
  for _, key in ipairs(chosen) do
    text:put(("%5d  %s"):format(key, padded(printable(shown.result.tokens[key + 1]), LABEL)))
    put_weight(text, neural[key + 1])
    if program then
      put_weight(text, program[key + 1])
    end
    text:next_line()
  end
  if rest.count > 0 then
    local sums = program and ("%.2f and %.2f"):format(rest.neural, rest.program) or ("%.2f"):format(rest.neural)
    text:put(("       %d more keys share %s"):format(rest.count, sums), "ReadheadKeys")
    text:next_line()
  end
end

--- `L0H3 · near · dev text 3 of 16 · 24 tokens · text 1a2b3c4d`.
local function title(shown)
  local result = shown.result
  local name = vim.fn.fnamemodify(shown.path, ":t")
  local which = "a text of yours"
  if type(result.sequence) == "number" then
    which = ("dev text %d of %d"):format(result.sequence, result.of)
  end
  local told = { result.head, name, which, ("%d tokens"):format(#result.tokens), "program text " .. result.stamp }
  return table.concat(told, " · ")
end

local function drawn(shown, width)
  local text, result = Text.new(), shown.result
  local neural = result.pattern[shown.query + 1]
  local program = type(result.prediction) == "table" and result.prediction[shown.query + 1] or nil
  text:put(title(shown), "ReadheadTitle")
  text:next_line()
  if shown.stale then
    text:put("stale: " .. shown.stale, "ReadheadStale")
    text:next_line()
  end
  local query = ("token %d `%s` looks at"):format(shown.query, printable(result.tokens[shown.query + 1]))
  text:put("neural: " .. query, "ReadheadKeys")
  text:next_line()
  put_strip(text, "neural", shown, neural, width)
  text:next_line()
  if program then
    text:put("program: " .. query, "ReadheadKeys")
    text:next_line()
    put_strip(text, "program", shown, program, width)
  else
    text:put("program: it gives nothing on this text", "ReadheadStale")
    text:next_line()
  end
  text:next_line()
  put_numbers(text, shown, neural, program)
  text:put(KEYS, "ReadheadKeys")
  return text
end

-- ---- the window -----------------------------------------------------------------------------------------------------

local function sizes(lines)
  local columns, rows = vim.o.columns, vim.o.lines - vim.o.cmdheight
  local width = math.max(20, math.min(100, columns - 4))
  return width, math.max(1, math.min(lines or rows, rows - 4))
end

--- At the bottom: the program mostly stands above it.
local function placed(width, height)
  return {
    relative = "editor",
    width = width,
    height = height,
    row = math.max(0, vim.o.lines - vim.o.cmdheight - height - 3),
    col = math.max(0, math.floor((vim.o.columns - width) / 2) - 1),
    style = "minimal",
    border = "rounded",
  }
end

local function token_at(row, column)
  for _, token in ipairs(open.tokens) do
    if token.row == row and column >= token.first and column < token.last then
      return token
    end
  end
end

--- Make the window's text anew, and set the cursor on the query, in the strip where it was.
local function render(which)
  local width = sizes()
  local text = drawn(open, width)
  open.tokens = text.tokens
  vim.bo[open.buffer].modifiable = true
  vim.api.nvim_buf_set_lines(open.buffer, 0, -1, false, text.lines)
  vim.bo[open.buffer].modifiable = false
  vim.api.nvim_buf_clear_namespace(open.buffer, namespace, 0, -1)
  for _, mark in ipairs(text.marks) do
    local given = { end_col = mark[3], hl_group = mark[4] }
    vim.api.nvim_buf_set_extmark(open.buffer, namespace, mark[1], mark[2], given)
  end
  local _, height = sizes(#text.lines)
  vim.api.nvim_win_set_config(open.window, placed(width, height))
  for _, token in ipairs(open.tokens) do
    if token.key == open.query and token.which == (which or "neural") then
      vim.api.nvim_win_set_cursor(open.window, { token.row + 1, token.first })
    end
  end
end

local function under_cursor()
  local at = vim.api.nvim_win_get_cursor(open.window)
  return token_at(at[1] - 1, at[2])
end

local function follow_cursor()
  local token = open and under_cursor()
  if token and token.key ~= open.query then
    open.query = token.key
    render(token.which)
  end
end

local function move(step)
  return function()
    local token = under_cursor()
    local to = open.query + step * vim.v.count1
    open.query = math.max(0, math.min(#open.result.tokens - 1, to))
    render(token and token.which)
  end
end

--- Close the window.
function M.close()
  local closing = open
  open = nil
  if closing and vim.api.nvim_win_is_valid(closing.window) then
    vim.api.nvim_win_close(closing.window, true)
  end
end

local ask

local function other_text(step)
  return function()
    local result = open.result
    local now = type(result.sequence) == "number" and result.sequence or open.last_sequence or 0
    local of = open.of or 1
    ask({ sequence = (now + step * vim.v.count1) % of })
  end
end

local function own_text()
  vim.ui.input({ prompt = "Text: " }, function(text)
    if text and text ~= "" and open then
      ask({ text = text })
    end
  end)
end

local function failures()
  local path, head = open.path, open.head
  local sequence = type(open.result.sequence) == "number" and open.result.sequence or nil
  M.close()
  require("readhead.pages").open(path, head, sequence)
end

local function set_keys(buffer)
  local keys = {
    h = move(-1),
    ["<Left>"] = move(-1),
    b = move(-1),
    ["<S-Tab>"] = move(-1),
    l = move(1),
    ["<Right>"] = move(1),
    w = move(1),
    ["<Tab>"] = move(1),
    n = other_text(1),
    p = other_text(-1),
    t = own_text,
    f = failures,
    q = M.close,
    ["<Esc>"] = M.close,
  }
  for key, action in pairs(keys) do
    vim.keymap.set("n", key, action, { buffer = buffer, nowait = true })
  end
end

--- Whatever is typed into the program makes what is shown one of an older text.
local function watch(shown)
  local group = vim.api.nvim_create_augroup("readhead.map", {})
  local function on(events, given)
    vim.api.nvim_create_autocmd(events, vim.tbl_extend("force", given, { group = group }))
  end
  on("CursorMoved", { buffer = shown.buffer, callback = follow_cursor })
  on("VimResized", {
    callback = function()
      if open then
        render()
      end
    end,
  })
  on({ "TextChanged", "TextChangedI" }, {
    buffer = shown.source,
    callback = function()
      if open and not open.stale then
        open.stale = "the program has another text by now"
        render()
      end
    end,
  })
  on("WinClosed", {
    pattern = tostring(shown.window),
    callback = function()
      open = nil
      vim.api.nvim_del_augroup_by_id(group)
      return true
    end,
  })
end

local function show(source, head, place, result)
  if open and not vim.api.nvim_win_is_valid(open.window) then
    open = nil
  end
  if open == nil then
    colours.define()
    local buffer = vim.api.nvim_create_buf(false, true)
    vim.bo[buffer].bufhidden = "wipe"
    vim.bo[buffer].filetype = "readhead"
    local window = vim.api.nvim_open_win(buffer, true, placed(sizes()))
    vim.wo[window].wrap = false
    open = { buffer = buffer, window = window, source = source }
    set_keys(buffer)
    watch(open)
  end
  open.path = vim.api.nvim_buf_get_name(source)
  local is_other = open.result == nil or open.head ~= head or not vim.deep_equal(open.result.tokens, result.tokens)
  open.source, open.head, open.place, open.result, open.stale = source, head, place, result, nil
  if type(result.sequence) == "number" then
    open.last_sequence, open.of = result.sequence, result.of
  end
  if is_other then
    open.query = #result.tokens - 1
  end
  render()
end

-- The number of the newest request: answers to older ones come too late.
local newest = 0

--- Ask for a head's pattern and the prediction of a buffer's program, for the window that is open or for a new one.
local function request(source, head, place)
  local of = client.of(source)
  if of == nil then
    client.say("Readhead does not run here; see `:checkhealth readhead`", vim.log.levels.WARN)
    return
  end
  newest = newest + 1
  local number, shown = newest, open
  local params = vim.tbl_extend("force", { uri = vim.uri_from_bufnr(source), head = head }, place)
  compat.request(of, "readhead/pattern", params, function(err, result)
    if number ~= newest or open ~= shown or not vim.api.nvim_buf_is_valid(source) then
      return
    elseif not err then
      show(source, head, place, result)
    elseif open then
      open.stale = err.message
      render()
    else
      client.say("Readhead: " .. err.message, vim.log.levels.ERROR)
    end
  end, source)
end

ask = function(place)
  request(open.source, open.head, place or open.place)
end

--- Open the window for a head, with the program of a buffer.
function M.open(source, head)
  M.close()
  request(source, head, { sequence = 0 })
end

--- A text was measured: what is shown of an older one is asked for again.
function M.scored(given)
  if not (open and vim.api.nvim_buf_is_valid(open.source)) then
    return
  end
  if open.result and vim.uri_from_bufnr(open.source) == given.uri and given.stamp ~= open.result.stamp then
    ask()
  end
end

return M
