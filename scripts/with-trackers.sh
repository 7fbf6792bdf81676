#!/usr/bin/env bash
# Runs a command with a real MLflow server (FOLDIN_TEST_MLFLOW) and a Python that has TensorBoard (FOLDIN_TRACKERS_PYTHON). They are
# installed once, half a gigabyte in about two minutes, into FOLDIN_TRACKERS_VENV (default: ~/.cache/foldin/trackers).
set -euo pipefail

venv=${FOLDIN_TRACKERS_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/foldin/trackers}
if ! "$venv/bin/python" -c "import mlflow.server, tensorboard" 2> /dev/null; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet mlflow-skinny==3.17.2 fastapi tensorboard==2.21.0
  # What the server needs; the full package also has SciPy, scikit-learn and PyArrow.
  "$venv/bin/pip" install --quiet --no-deps mlflow==3.17.2 mlflow-tracing==3.17.2 aiohappyeyeballs aiohttp aiosignal alembic \
    attrs blinker docker Flask Flask-CORS frozenlist graphene graphql-core graphql-relay gunicorn huey itsdangerous jinja2 Mako \
    multidict pandas prettytable propcache python-dateutil six skops sqlalchemy wcwidth yarl
fi

folder=$(mktemp -d)
port=$(node -e 'const s = require("node:net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
(cd "$folder" && exec "$venv/bin/python" -m mlflow server --host 127.0.0.1 --port "$port" --workers 1 \
  --backend-store-uri sqlite:///runs.db --serve-artifacts --artifacts-destination ./artifacts > log 2>&1) &
server=$!
trap 'kill $server 2> /dev/null; wait $server 2> /dev/null || true; rm -rf "$folder"' EXIT
for _ in $(seq 120); do
  curl --silent --max-time 1 "http://127.0.0.1:$port/health" > /dev/null && break
  kill -0 $server || { cat "$folder/log" >&2; exit 1; }
  sleep 1
done
FOLDIN_TEST_MLFLOW="http://127.0.0.1:$port" FOLDIN_TRACKERS_PYTHON="$venv/bin/python" "$@"
