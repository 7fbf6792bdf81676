#!/usr/bin/env bash
# Runs a command with FOLDIN_TEST_POSTGRES set to a temporary PostgreSQL server, which is stopped after the command. Installs
# PostgreSQL with apt-get if possible (root, Debian). If none is available, reports it and runs the command without one.
set -euo pipefail

binaries() {
  dirname "$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -1)" 2>/dev/null || dirname "$(command -v initdb)"
}
if ! bin=$(binaries) && [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
  (apt-get update && apt-get install --no-install-recommends -y postgresql) > /dev/null 2>&1 || true
fi
if ! bin=$(binaries); then
  echo "no PostgreSQL here, and none could be installed: its tests are skipped" >&2
  exec "$@"
fi

folder=$(mktemp -d)
chmod 755 "$folder"
# initdb does not run as root.
as=()
if [ "$(id -u)" = 0 ]; then
  id postgres > /dev/null 2>&1 || useradd --system postgres
  chown postgres "$folder"
  as=(setpriv --reuid=postgres --regid="$(id -g postgres)" --clear-groups)
fi
stop() {
  "${as[@]}" "$bin/pg_ctl" -D "$folder/data" -m immediate stop > /dev/null 2>&1 || true
  rm -rf "$folder"
}
trap stop EXIT
port=$(node -e 'const s = require("node:net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
cd "$folder"
"${as[@]}" "$bin/initdb" -D "$folder/data" -U foldin --auth=trust > "$folder/log" 2>&1
"${as[@]}" "$bin/pg_ctl" -D "$folder/data" -w -l "$folder/server.log" \
  -o "-p $port -k $folder -c listen_addresses=127.0.0.1" start > /dev/null || { cat "$folder/server.log" >&2; exit 1; }
cd "$OLDPWD"
FOLDIN_TEST_POSTGRES="postgres://foldin@127.0.0.1:$port/postgres" "$@"
