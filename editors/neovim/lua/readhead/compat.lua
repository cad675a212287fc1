-- What differs between Neovim 0.7 and now. Each name says from which version on it is the editor's own.

local M = {}

M.uv = vim.uv or vim.loop

-- 0.11 made the functions of a client methods.
local has_methods = vim.fn.has("nvim-0.11") == 1

function M.request(client, method, params, handler, buffer)
  if has_methods then
    return client:request(method, params, handler, buffer)
  end
  return client.request(method, params, handler, buffer)
end

function M.request_sync(client, method, params, patience_ms, buffer)
  if has_methods then
    return client:request_sync(method, params, patience_ms, buffer)
  end
  return client.request_sync(method, params, patience_ms, buffer)
end

function M.notify(client, method, params)
  if has_methods then
    return client:notify(method, params)
  end
  return client.notify(method, params)
end

-- How long a server may take to end by itself; one that hangs never does.
local ENDS_MS = 2000

function M.stop(client)
  if has_methods then
    client:stop()
  else
    client.stop()
  end
  vim.defer_fn(function()
    if not vim.lsp.get_client_by_id(client.id) then
      return
    elseif client.rpc.terminate then -- from 0.8; 0.11 forces none that it has told to stop
      client.rpc.terminate()
    else
      client.stop(true)
    end
  end, ENDS_MS)
end

--- All clients that are initialized.
function M.clients()
  return (vim.lsp.get_clients or vim.lsp.get_active_clients)()
end

local started = {}

--- Start a client for a buffer, or let the one of that workspace have it too. From 0.8.
function M.start(config, buffer)
  if vim.lsp.start then
    return vim.api.nvim_buf_call(buffer, function()
      return vim.lsp.start(config)
    end)
  end
  local id = started[config.root_dir]
  local client = id and vim.lsp.get_client_by_id(id)
  if not client or client.is_stopped and client.is_stopped() then
    id = vim.lsp.start_client(config)
    started[config.root_dir] = id
  end
  if id then
    vim.lsp.buf_attach_client(buffer, id)
  end
  return id
end

--- Whether the editor draws inlay hints. From 0.10; 0.9 had a module of that name in its nightlies only.
function M.draws_hints()
  return vim.fn.has("nvim-0.10") == 1
end

--- Whether the editor keeps code lenses up to date. From 0.12.
function M.keeps_lenses()
  return vim.lsp.codelens.enable ~= nil
end

return M
