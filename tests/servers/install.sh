#!/usr/bin/env bash
# Installs the real servers that `make test-servers` talks to, into .servers/ and, as root on
# Debian or Ubuntu, from their packages. Running it again does nothing. No service is started.
#
#   Bluesky: PLC directory, PDS and AppView (npm, about 360 MB), needs Node.js 20 or newer and
#            PostgreSQL's programs
#   E-mail:  Dovecot and Postfix (Postfix needs root; without it aiosmtpd stands in)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
target=$root/.servers
stamp=$target/stamp
wanted=$(cat "$here/install.sh" "$here/bluesky/package.json" | cksum | cut -d' ' -f1)

say() { printf 'servers: %s\n' "$*"; }
have() { PATH=$PATH:/usr/sbin:/usr/local/sbin command -v "$1" >/dev/null 2>&1; }

have_postgres() { have initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }
have_dovecot() { have dovecot && [ -x /usr/lib/dovecot/imap ] && [ -x /usr/lib/dovecot/lmtp ]; }
have_postfix() { have postfix && compgen -G '/usr/lib/postfix/*lmdb*' >/dev/null; }
# Another mail system (exim, sendmail …) would be removed by installing Postfix: leave it alone.
other_mail_system() { ! have postfix && { [ -e /usr/sbin/sendmail ] || [ -e /usr/sbin/exim4 ]; }; }
node_version() { "${1:-node}" --version 2>/dev/null | sed -n 's/^v\([0-9]*\).*/\1/p'; }
node_is_new() { [ "$(node_version "${1:-node}" || true)" -ge 20 ] 2>/dev/null; }

if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && have_postgres && have_dovecot; then
  say "already installed"
  exit 0
fi

packages=()
have_postgres || packages+=(postgresql)
have_dovecot || packages+=(dovecot-core dovecot-imapd dovecot-lmtpd)
if ! have_postfix && ! other_mail_system; then packages+=(postfix postfix-lmdb); fi
node_is_new || packages+=(nodejs)
have npm || packages+=(npm)

if [ ${#packages[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && have apt-get; then
    say "installing ${packages[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
    # No package may start a service: invoke-rc.d asks this file, 101 means "forbidden".
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
      printf '#!/bin/sh\nexit 101\n' >$policy
      chmod 755 $policy
      trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
  else
    say "not root on Debian or Ubuntu, so nothing is installed system-wide."
    say "Missing packages (Debian's names): ${packages[*]}"
  fi
fi

missing=()
have_postgres || missing+=("PostgreSQL's programs (Debian: postgresql)")
have_dovecot || missing+=("Dovecot with IMAP and LMTP (Debian: dovecot-imapd dovecot-lmtpd)")
have npm || missing+=("npm with Node.js 20 or newer (Debian 13: nodejs npm)")
if [ ${#missing[@]} -gt 0 ]; then
  for what in "${missing[@]}"; do say "missing: $what"; done
  say "Install them, then run this again."
  exit 1
fi
have_postfix || say "Postfix is not here: aiosmtpd will stand in for it in the mail tests."

quiet=(--no-package-lock --no-audit --no-fund --loglevel=error)
if ! node_is_new; then
  # Debian 12 has Node.js 18. The package "node" brings a newer one, and "npm" one that runs on it
  # (Debian's npm finds its own parts only with Debian's node).
  say "Node.js $(node_version) is too old, fetching Node.js 20 into .servers"
  mkdir -p "$target/node"
  cd "$target/node"
  echo '{"private": true}' >package.json
  npm install "${quiet[@]}" node@20 npm@10
  export PATH=$target/node/node_modules/.bin:$PATH
  hash -r
  node_is_new || {
    say "Node.js 20 or newer could not be installed; install it and run this again."
    exit 1
  }
fi

mkdir -p "$target/bluesky"
cd "$target/bluesky"
cp "$here/bluesky/package.json" package.json
say "installing the Bluesky servers (npm, about two minutes)"
npm install "${quiet[@]}"
# A native module that was not built shows here and not in the middle of a test.
node -e "require('better-sqlite3')(':memory:').close(); require('@atproto/dev-env')" || {
  say "The Bluesky servers do not load. On a machine without prebuilt modules install"
  say "python3, make and g++, delete .servers and run this again."
  exit 1
}
printf '%s\n' "$wanted" >"$stamp"
say "ready"
