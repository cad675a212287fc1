-- For `vim.lsp.enable("readhead")`, from Neovim 0.11: the configuration that the plugin itself starts with.

return require("readhead.client").plain_config()
