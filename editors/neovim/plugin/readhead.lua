-- Readhead: wiring only. What it does is in lua/readhead; nothing of that is loaded before a Python file needs it.

if vim.g.loaded_readhead then
  return
end
vim.g.loaded_readhead = true
if vim.fn.has("nvim-0.7") == 0 then
  vim.notify("Readhead needs Neovim 0.7 or later", vim.log.levels.WARN)
  return
end

local group = vim.api.nvim_create_augroup("readhead", {})

vim.api.nvim_create_autocmd("FileType", {
  group = group,
  pattern = "python",
  desc = "Readhead: start for a file of a workspace",
  callback = function(event)
    require("readhead").file_opened(event.buf)
  end,
})

vim.api.nvim_create_autocmd("BufReadCmd", {
  group = group,
  pattern = "readhead://*",
  desc = "Readhead: a page of where a program fails",
  callback = function(event)
    require("readhead.pages").read(event.buf)
  end,
})

vim.api.nvim_create_user_command("Readhead", function(given)
  require("readhead.commands").run(given.fargs)
end, {
  nargs = "*",
  desc = "Readhead: heads as programs",
  complete = function(lead, line)
    return require("readhead.commands").complete(lead, line)
  end,
})
