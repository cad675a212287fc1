-- The language server's client: how it is started, and what it is told besides the protocol.

local compat = require("readhead.compat")
local options = require("readhead.options")
local workspace = require("readhead.workspace")

local M = {}

M.NAME = "readhead"

-- Where the server is started: the plugin's folder. In the editor's a `python -m …` would import what lies in a workspace.
local FOLDER = vim.fn.fnamemodify(debug.getinfo(1, "S").source:sub(2), ":p:h:h:h")

-- By client: state, error, jobs and version, as the server told them last.
local told = {}
-- By client that is to start again: its buffers.
local starting_again = {}
-- Workspaces of which the user knows that no `readhead` was found.
local missing = {}
local leaves = false

vim.api.nvim_create_autocmd("VimLeavePre", {
  callback = function()
    leaves = true
  end,
})

--- The client of a buffer, once it is initialized.
function M.of(buffer)
  for _, client in ipairs(compat.clients()) do
    if client.name == M.NAME and client.attached_buffers[buffer] then
      return client
    end
  end
  return nil
end

--- What a client's server told: state, error, jobs, version.
function M.told(client)
  told[client.id] = told[client.id] or { state = "starting", jobs = 0 }
  return told[client.id]
end

--- The loaded buffer of a document; nil without one.
function M.buffer_of(uri)
  local buffer = vim.fn.bufnr("^" .. vim.fn.escape(vim.uri_to_fname(uri), "\\*?[]{},~$^") .. "$")
  return buffer > 0 and vim.api.nvim_buf_is_loaded(buffer) and buffer or nil
end

--- Show a user a message of ours.
function M.say(text, level)
  vim.notify(text, level or vim.log.levels.INFO, { title = "Readhead" })
end

local function announce(event)
  vim.api.nvim_exec_autocmds("User", { pattern = event, modeline = false })
  vim.cmd("redrawstatus!")
end

-- ---- handlers -------------------------------------------------------------------------------------------------------

local function client_of(context)
  return vim.lsp.get_client_by_id(context.client_id)
end

local LEVELS = { vim.log.levels.ERROR, vim.log.levels.WARN, vim.log.levels.INFO, vim.log.levels.DEBUG }

local handlers = {
  ["readhead/state"] = function(_, given, context)
    local client = client_of(context)
    if client then
      local now = M.told(client)
      now.state, now.error, now.jobs = given.state, given.error, 0
      require("readhead.heads").forget(client)
      announce("ReadheadState")
    end
  end,
  ["readhead/busy"] = function(_, given, context)
    local client = client_of(context)
    if client then
      M.told(client).jobs = given.jobs
      announce("ReadheadState")
    end
  end,
  ["readhead/scored"] = function(_, given, context)
    local client, buffer = client_of(context), M.buffer_of(given.uri)
    if client and buffer then
      require("readhead.annotations").refresh(client, buffer)
      require("readhead.map").scored(given)
      announce("ReadheadScored")
    end
  end,
  ["workspace/textDocumentContent/refresh"] = function(_, given)
    require("readhead.pages").refresh(given.uri)
    return vim.NIL
  end,
  ["window/showMessage"] = function(_, given)
    M.say(given.message, LEVELS[given.type])
    return given
  end,
}
-- The server logs these itself; progress of long work comes by the protocol's own way.
for _, event in ipairs({ "progress", "error", "notice" }) do
  handlers["readhead/" .. event] = function() end
end

-- Commands of code lenses and actions that the editor carries out, not the server.
local commands = {
  ["readhead.compare"] = function(command)
    require("readhead.pages").open(vim.uri_to_fname(command.arguments[1]), command.arguments[2])
  end,
}

-- ---- start and end --------------------------------------------------------------------------------------------------

local function initialized(client, result)
  M.told(client).version = result and result.serverInfo and result.serverInfo.version or nil
end

local function ended(code, signal, id)
  local buffers = starting_again[id]
  told[id], starting_again[id] = nil, nil
  if leaves then
    return
  end
  vim.schedule(function()
    require("readhead.annotations").forget(id)
    announce("ReadheadState")
    if buffers then
      for _, buffer in ipairs(buffers) do
        M.start(buffer)
      end
    elseif code ~= 0 or (signal ~= 0 and signal ~= 15) then -- 15 is how the editor ends one that it is told to
      local why = signal ~= 0 and ("signal %d"):format(signal) or ("exit %d"):format(code)
      local text = ("Readhead: the language server ended (%s); `:Readhead log server` tells more, "):format(why)
      M.say(text .. "`:Readhead restart server` starts it again", vim.log.levels.ERROR)
    end
  end)
end

local function capabilities()
  local ours = {
    workspace = {
      textDocumentContent = { dynamicRegistration = false },
      -- The editor compares the versions of these edits with that of the buffer, but does not announce it. New files it
      -- would write at once; a program's is for the user to write.
      workspaceEdit = { documentChanges = true, resourceOperations = {} },
    },
  }
  local editors = vim.lsp.protocol.make_client_capabilities()
  return vim.tbl_deep_extend("force", editors, options.current.capabilities, ours)
end

local function config(root, command)
  return {
    name = M.NAME,
    cmd = command,
    cmd_cwd = FOLDER,
    root_dir = root,
    init_options = options.for_server(root),
    capabilities = capabilities(),
    handlers = handlers,
    commands = commands,
    on_init = initialized,
    on_exit = ended,
  }
end

--- The command of a workspace's server; without one the user is told what to do, once for each workspace.
local function command_of(root)
  local command, where = workspace.command(root)
  if command == nil then
    if not missing[root] then
      missing[root] = true
      M.say(("Readhead: there is no `readhead`: %s\n%s"):format(where, workspace.cure(root)), vim.log.levels.WARN)
    end
    return nil
  end
  missing[root] = nil
  return command
end

--- Start the server of a buffer's workspace, or attach to it; nil where that cannot be.
function M.start(buffer)
  local root = vim.api.nvim_buf_is_valid(buffer) and workspace.of(buffer)
  local command = root and command_of(root)
  return command and compat.start(config(root, command), buffer)
end

--- End the buffer's server, and start it anew for all its buffers; without one, start it.
function M.start_again(buffer)
  missing = {}
  local client = M.of(buffer)
  if client == nil then
    return M.start(buffer)
  end
  starting_again[client.id] = vim.tbl_keys(client.attached_buffers)
  compat.stop(client)
end

--- Trust a workspace in this session, or no longer. Its server is told; where there is none yet it is started: the only
--- `readhead` may be the workspace's own.
function M.trust(root, trusted)
  options.grant(root, trusted)
  for _, client in ipairs(compat.clients()) do
    if client.name == M.NAME and client.config.root_dir == root then
      compat.notify(client, "readhead/trusted", { trusted = trusted })
      return
    end
  end
  missing[root] = nil
  for _, buffer in ipairs(trusted and vim.api.nvim_list_bufs() or {}) do
    local is_open = vim.api.nvim_buf_is_loaded(buffer) and vim.bo[buffer].filetype == "python"
    if is_open and workspace.of(buffer) == root then
      M.start(buffer)
    end
  end
end

--- The same as a configuration for `vim.lsp.enable`.
function M.plain_config()
  local plain = config(nil, nil)
  plain.filetypes = { "python" }
  plain.init_options = nil
  plain.root_dir = function(buffer, found)
    local root = workspace.of(buffer)
    if root and command_of(root) then
      found(root)
    end
  end
  plain.cmd = function(dispatchers, given)
    local root = given and given.root_dir or workspace.of(0)
    return vim.lsp.rpc.start(assert(workspace.command(root)), dispatchers, { cwd = FOLDER })
  end
  plain.before_init = function(params, given)
    params.initializationOptions = options.for_server(given.root_dir)
  end
  return plain
end

return M
