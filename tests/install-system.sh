#!/usr/bin/env bash
# System packages that the tests need: a browser, a Chinese font, PostgreSQL's server programs.
# Installs what is missing where that is allowed (root on Debian), else names it.
set -euo pipefail

missing=()
command -v chromium >/dev/null || command -v chromium-browser >/dev/null \
  || [ -d "/Applications/Chromium.app" ] || [ -d "/Applications/Google Chrome.app" ] || missing+=(chromium)
if command -v fc-list >/dev/null; then
  fc-list :lang=zh 2>/dev/null | grep -q . || missing+=(fonts-noto-cjk)
elif [ "$(uname)" = Linux ]; then
  missing+=(fontconfig fonts-noto-cjk)
fi
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v pg_ctl >/dev/null || missing+=(postgresql)

[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing for the tests: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  # Only the programs are needed; no service may start.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  apt-get -qq update
  apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "The tests need these system packages: ${missing[*]}"
  echo "Install them (Debian: apt-get install ${missing[*]}; macOS: brew install postgresql@16 and"
  echo "a Chromium browser). Tests that need what is missing are skipped, or fail where CI is set."
fi
