#!/usr/bin/env bash
# What the tests of the VS Code extension need, into the folder that is given: Node 24 and code-server from npm, and from
# Debian a browser and what code-server's native modules are built with.
set -euo pipefail
folder=$(mkdir -p "$1" && cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)

needed=()
command -v "${CHROMIUM:-chromium}" >/dev/null || needed+=(chromium)
command -v npm >/dev/null || needed+=(npm)
command -v g++ >/dev/null || needed+=(build-essential)
for package in libkrb5-dev libx11-dev libxkbfile-dev libsecret-1-dev pkg-config; do
  dpkg --status "$package" >/dev/null 2>&1 || needed+=("$package")
done
if [ ${#needed[@]} -gt 0 ]; then
  apt-get install --yes --quiet "${needed[@]}" || { apt-get update && apt-get install --yes --quiet "${needed[@]}"; }
fi

# Node first: code-server is installed by the Node that it runs on.
cd "$folder"
[ -f package.json ] || echo '{ "private": true }' >package.json
npm install --no-audit --no-fund --loglevel error node@24
export PATH="$folder/node_modules/node/bin:$PATH"
npm install --no-audit --no-fund --loglevel error code-server@4.139.1
cd "$here/../../../editors/vscode"
# Not `npm ci`: it refuses a lock that was written where not every platform's build of the linter is to be had.
npm install --no-save --no-audit --no-fund --loglevel error
