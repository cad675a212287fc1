-- What a user may set. What the language server takes (see its options) goes to it as it is.

local M = {}

M.defaults = {
  -- The command of the language server, a list or a path; without it `readhead` is looked for.
  cmd = nil,
  -- Start by itself for Python files of a workspace.
  autostart = true,
  -- Whether anything of a workspace may run: true, false, or a function that is given the workspace's folder.
  trusted = true,
  -- What each term of a program earns, behind it.
  blame = true,
  -- What a program is worth, over its head.
  lenses = true,
  -- More options of the language server, by their names there: { perplexity = false, pause = 1 }.
  server = {},
  -- More capabilities, for example those of a completion plugin.
  capabilities = {},
}

local known = { "cmd", "autostart", "trusted", "blame", "lenses", "server", "capabilities" }

M.current = vim.deepcopy(M.defaults)

--- Take a user's options; those that nobody knows are told, and left out.
function M.set(given)
  local taken = vim.deepcopy(M.defaults)
  for name, value in pairs(given or {}) do
    if vim.tbl_contains(known, name) then
      taken[name] = value
    else
      local text = ("Readhead: unknown option %q; there are %s"):format(name, table.concat(known, ", "))
      vim.notify(text, vim.log.levels.WARN)
    end
  end
  M.current = taken
end

-- By workspace: what the user said in this session.
local granted = {}

--- Trust a workspace in this session, or no longer.
function M.grant(root, trusted)
  granted[root] = trusted
end

--- Whether a workspace is trusted.
function M.trusts(root)
  if granted[root] ~= nil then
    return granted[root]
  end
  local trusted = M.current.trusted
  if type(trusted) == "function" then
    trusted = trusted(root)
  end
  return trusted == true
end

--- What the language server is given at its start.
function M.for_server(root)
  local given = vim.deepcopy(M.current.server)
  given.trusted = M.trusts(root)
  if given.blame == nil then
    given.blame = M.current.blame
  end
  return given
end

return M
