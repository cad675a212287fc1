-- Colours of weights, light or dark as the editor is; every one can be set otherwise, and next to each stands a number.

local M = {}

-- From a small weight to a whole one: background for a graphical terminal, for one of 256 colours, and the text on it.
local DARK = {
  { "#12263a", 17, "#e8e8e8", 254 },
  { "#16344f", 18, "#e8e8e8", 254 },
  { "#1a4467", 24, "#f0f0f0", 255 },
  { "#1f5680", 25, "#f4f4f4", 255 },
  { "#256a9a", 31, "#ffffff", 231 },
  { "#3b82b0", 32, "#ffffff", 231 },
  { "#65a0c2", 74, "#000000", 16 },
  { "#9cc3d5", 117, "#000000", 16 },
  { "#ddeef2", 195, "#000000", 16 },
}
local LIGHT = {
  { "#eaf2f8", 195, "#000000", 16 },
  { "#d6e6f2", 153, "#000000", 16 },
  { "#bcd7ea", 152, "#000000", 16 },
  { "#9dc4df", 117, "#000000", 16 },
  { "#79add1", 75, "#000000", 16 },
  { "#5592bf", 68, "#ffffff", 231 },
  { "#3576a8", 32, "#ffffff", 231 },
  { "#1d5a8c", 25, "#ffffff", 231 },
  { "#0b3c66", 18, "#ffffff", 231 },
}

-- Shares below this are left as they are.
local LEAST = 0.02

--- The highlight group of a weight from 0 to 1; nil for one that is next to nothing.
function M.group(weight)
  if weight < LEAST then
    return nil
  end
  -- By the square root, as in the terminal app: small weights would all look alike.
  return "ReadheadWeight" .. math.max(1, math.min(#DARK, math.floor(math.sqrt(weight) * #DARK + 0.5)))
end

local defined

--- Define the groups that nobody has defined; a colour scheme that is chosen later clears them, and they come again.
function M.define()
  if defined then
    return
  end
  defined = true
  local shades = vim.o.background == "light" and LIGHT or DARK
  for level, shade in ipairs(shades) do
    local form = "highlight default ReadheadWeight%d guibg=%s ctermbg=%d guifg=%s ctermfg=%d"
    vim.cmd(form:format(level, shade[1], shade[2], shade[3], shade[4]))
  end
  vim.cmd("highlight default ReadheadQuery gui=bold,underline cterm=bold,underline")
  vim.cmd("highlight default ReadheadBar guifg=#3b82b0 ctermfg=67")
  vim.cmd("highlight default link ReadheadTitle Title")
  vim.cmd("highlight default link ReadheadUnseen Comment")
  vim.cmd("highlight default link ReadheadKeys Comment")
  vim.cmd("highlight default link ReadheadStale WarningMsg")
  vim.cmd("highlight default link ReadheadBlame Comment")
end

vim.api.nvim_create_autocmd("ColorScheme", {
  callback = function()
    defined = nil
    M.define()
  end,
})

return M
