-- `:Readhead …`: one command of ours for each of the server's, and a few that only show.

local client = require("readhead.client")
local compat = require("readhead.compat")

local M = {}

-- Completion does not hold up typing longer than this.
local PATIENCE_MS = 500

-- ---- asking the server ----------------------------------------------------------------------------------------------

--- Have the server carry out a command on a buffer's document; what comes of it goes to `done`. Of its edits it tells
--- the user itself.
local function execute(buffer, command, arguments, done)
  local params = { command = command, arguments = { vim.uri_from_bufnr(buffer), unpack(arguments or {}) } }
  compat.request(assert(client.of(buffer)), "workspace/executeCommand", params, function(err, result)
    if err then
      client.say("Readhead: " .. err.message, vim.log.levels.ERROR)
    elseif done and result ~= nil and result ~= vim.NIL then
      done(result)
    end
  end, buffer)
end

local function lenses(buffer, done)
  local params = { textDocument = { uri = vim.uri_from_bufnr(buffer) } }
  compat.request(assert(client.of(buffer)), "textDocument/codeLens", params, function(err, result)
    done(not err and result or {})
  end, buffer)
end

--- Heads that lenses with one command name.
local function heads_of(found, command)
  local heads = {}
  for _, lens in ipairs(found) do
    local head = lens.command and lens.command.command == command and lens.command.arguments[2]
    if head and not vim.tbl_contains(heads, head) then
      table.insert(heads, head)
    end
  end
  return heads
end

--- The head that is named, or the only one of the lenses with a command, or the one that the user picks.
local function with_head(buffer, given, command, done)
  if given then
    done(given:upper())
    return
  end
  lenses(buffer, function(found)
    local heads = heads_of(found, command)
    if #heads == 1 then
      done(heads[1])
    elseif #heads > 1 then
      vim.ui.select(heads, { prompt = "Head:" }, function(head)
        if head then
          done(head)
        end
      end)
    else
      client.say("Readhead: nothing names a head here yet; name one, for example L0H3", vim.log.levels.WARN)
    end
  end)
end

-- ---- what a command does --------------------------------------------------------------------------------------------

--- A new file with a program for a head, not written yet; where the server made it itself it is shown.
function M.create(buffer, head)
  execute(buffer, "readhead.create", { head }, function(outcome)
    vim.cmd("edit " .. vim.fn.fnameescape(outcome.path))
    if not outcome.applied then
      local lines = vim.split(outcome.source:gsub("\n$", ""), "\n", { plain = true })
      vim.api.nvim_buf_set_lines(0, 0, -1, false, lines)
    end
    client.say(("Readhead: %s; `:write` keeps it"):format(outcome.told))
  end)
end

local function pick(buffer, head)
  execute(buffer, "readhead.front", { head }, function(rows)
    local function in_a_line(row)
      return ("%d terms, IoU %.3f%s"):format(row.terms, row.iou, row.chosen == true and ", worth its size" or "")
    end
    vim.ui.select(rows, { prompt = "Program for " .. head .. ":", format_item = in_a_line }, function(row)
      if row then
        execute(buffer, "readhead.pick", { head, row.terms })
      end
    end)
  end)
end

local function fit(buffer, where)
  local of = assert(client.of(buffer))
  local here = where == "here" and vim.lsp.util.make_position_params(0, of.offset_encoding).position or nil
  execute(buffer, "readhead.fit", { here })
end

local function run_lens(buffer)
  lenses(buffer, function(found)
    local function title(lens)
      return lens.command.title
    end
    vim.ui.select(found, { prompt = "Readhead:", format_item = title }, function(lens)
      if lens == nil then
        return
      end
      local of = assert(client.of(buffer))
      local own = of.commands[lens.command.command]
      if own then
        own(lens.command, { bufnr = buffer, client_id = of.id })
      else
        local params = { command = lens.command.command, arguments = lens.command.arguments }
        compat.request(of, "workspace/executeCommand", params, function(err)
          if err then
            client.say("Readhead: " .. err.message, vim.log.levels.ERROR)
          end
        end, buffer)
      end
    end)
  end)
end

--- The workspace of a buffer; where it is in none the user is told.
local function root_of(buffer)
  local root = require("readhead.workspace").of(buffer)
  if root == nil then
    client.say("Readhead: this is no file of a workspace", vim.log.levels.WARN)
  end
  return root
end

local function log(buffer, which)
  local path = vim.lsp.log and vim.lsp.log.get_filename and vim.lsp.log.get_filename() or vim.lsp.get_log_path()
  if which ~= "server" then
    local root = root_of(buffer)
    if root == nil then
      return
    end
    path = root .. "/.readhead/engine.log"
  end
  vim.cmd("split " .. vim.fn.fnameescape(path))
  vim.bo.autoread = true
  vim.cmd("normal! G")
end

local SCORE_LENS, OTHER_LENS = "readhead.compare", "readhead.setBest"

--- A command on a head of the program, or on the one that is named.
local function on_head(lens, action)
  return {
    heads = true,
    run = function(buffer, head, ...)
      local more = { ... }
      with_head(buffer, head, lens, function(named)
        action(buffer, named, unpack(more))
      end)
    end,
  }
end

local ACTIONS = {
  flip = on_head(SCORE_LENS, function(buffer, head)
    execute(buffer, "readhead.flip", { head })
  end),
  pick = on_head(SCORE_LENS, pick),
  refine = on_head(SCORE_LENS, function(buffer, head)
    execute(buffer, "readhead.refine", { head })
  end),
  failures = on_head(SCORE_LENS, function(buffer, head, number)
    require("readhead.pages").open(vim.api.nvim_buf_get_name(buffer), head, number)
  end),
  head = on_head(SCORE_LENS, function(buffer, head)
    require("readhead.map").open(buffer, head)
  end),
  best = on_head(OTHER_LENS, function(buffer, head)
    execute(buffer, "readhead.setBest", { head })
  end),
  create = on_head(OTHER_LENS, M.create),
  fit = { run = fit, words = { "all", "here" } },
  record = {
    run = function(buffer)
      execute(buffer, "readhead.record")
    end,
  },
  score = {
    run = function(buffer)
      execute(buffer, "readhead.score")
    end,
  },
  heads = {
    run = function(buffer)
      require("readhead.heads").open(buffer)
    end,
  },
  lens = { run = run_lens },
  trust = {
    works_alone = true,
    words = { "on", "off" },
    run = function(buffer, word)
      local root = root_of(buffer)
      if root then
        client.trust(root, word ~= "off")
      end
    end,
  },
  restart = {
    works_alone = true,
    words = { "engine", "server" },
    run = function(buffer, which)
      if which == "server" or client.of(buffer) == nil then
        client.start_again(buffer)
      else
        execute(buffer, "readhead.restart")
      end
    end,
  },
  log = { works_alone = true, words = { "engine", "server" }, run = log },
}

--- Names of all of them, in order.
function M.names()
  local names = vim.tbl_keys(ACTIONS)
  table.sort(names)
  return names
end

--- Carry out `:Readhead` with its words; without any, say how things stand.
function M.run(words)
  local name = words[1]
  local buffer = vim.api.nvim_get_current_buf()
  if name == nil then
    local status = require("readhead").status(buffer)
    client.say(
      ("%s; there are :Readhead %s"):format(status == "" and "no workspace" or status, table.concat(M.names(), " "))
    )
    return
  end
  local action = ACTIONS[name]
  if action == nil then
    local text = ("Readhead: there is no %q; there are %s"):format(name, table.concat(M.names(), ", "))
    client.say(text, vim.log.levels.ERROR)
  elseif action.words and words[2] and not vim.tbl_contains(action.words, words[2]) then
    local text = ("Readhead: %s takes %s, not %q"):format(name, table.concat(action.words, " or "), words[2])
    client.say(text, vim.log.levels.ERROR)
  elseif not action.works_alone and client.of(buffer) == nil then
    client.say("Readhead does not run here; see `:checkhealth readhead`", vim.log.levels.WARN)
  else
    action.run(buffer, unpack(words, 2))
  end
end

--- What can come next on the command line.
function M.complete(lead, line)
  local words = vim.split(vim.trim(line:gsub("^.-Readhead!?", "", 1)), "%s+", { trimempty = true })
  local place = #words + (lead == "" and 1 or 0)
  local choices = {}
  if place <= 1 then
    choices = M.names()
  elseif place == 2 and ACTIONS[words[1]] then
    local action = ACTIONS[words[1]]
    choices = action.words
      or action.heads and require("readhead.heads").names(vim.api.nvim_get_current_buf(), PATIENCE_MS)
      or {}
  end
  return vim.tbl_filter(function(choice)
    return vim.startswith(choice:lower(), lead:lower())
  end, choices)
end

return M
