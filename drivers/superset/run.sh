#!/bin/sh
# `make superset`: Superset from PyPI in an environment of its own, charting the demonstration's data.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
environment="$root/.tools/superset"
[ -d "$environment/lib" ] || "$root/.venv/bin/python" -m venv "$environment"
# It imports rich and cachetools without asking for them; flask-caching 2.4 has another interface.
"$root/.venv/bin/uv" pip install --quiet --python "$environment" apache-superset==6.1.0 \
    'trino[sqlalchemy]==0.340.0' psycopg2-binary rich cachetools 'flask-caching<2.4'
if ! command -v chromium >/dev/null && [ "$(id -u)" = 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        chromium fonts-dejavu-core >/dev/null
fi
log=$(mktemp)
pg_port=$("$root/.venv/bin/python" -c \
    'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
# What a shell starts in the background ignores interrupts, by which the demonstration ends cleanly.
QUERYSVC_PG_PORT=$pg_port "$root/.venv/bin/python" -c 'if True:
    import signal
    from querysvc.demo import show
    signal.signal(signal.SIGINT, signal.default_int_handler)
    show.run(once=False, port=0)' >"$log" 2>&1 &
demo=$!
trap 'kill -INT $demo 2>/dev/null; wait $demo || true; rm -f "$log"' EXIT
until grep -q "Still serving" "$log"; do
    kill -0 $demo || { cat "$log"; exit 1; }
    sleep 1
done
port=$(sed -n 's|.*API  *http://[^:]*:\([0-9]*\)/docs.*|\1|p' "$log")
"$environment/bin/python" "$root/drivers/superset/smoke.py" nyc.flights carrier \
    "${PICTURES:-$root/.tools}" "trino://superset@127.0.0.1:$port/awsdatacatalog/nyc" \
    "postgresql+psycopg2://superset@127.0.0.1:$pg_port/awsdatacatalog"
