#!/bin/sh
# Installs the servers that the tests run against. A tool that cannot be had is told loudly; the
# tests that need it then skip with that reason (and fail in CI, where CI=true).
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
bin="$root/.tools/bin"
mkdir -p "$bin"

missing() { echo "NOT INSTALLED: $1: $2" >&2; }

if [ ! -x "$bin/versitygw" ]; then
    if command -v go >/dev/null; then
        GOBIN="$bin" go install github.com/versity/versitygw/cmd/versitygw@v1.8.0 \
            || missing versitygw "go install failed"
    elif [ "$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq golang-go >/dev/null; then
        # Debian's Go fetches the newer toolchain that the module asks for through the Go proxy.
        GOBIN="$bin" GOTOOLCHAIN=auto go install github.com/versity/versitygw/cmd/versitygw@v1.8.0 \
            || missing versitygw "go install failed"
    else
        missing versitygw "needs Go"
    fi
fi

if ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then
        apt-get update -qq
        # The tests start their own server: the package must not start one.
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            -o Dpkg::Options::=--force-confold postgresql >/dev/null || missing postgresql "apt-get failed"
    else
        missing postgresql "needs root for apt-get"
    fi
fi
if ! command -v psql >/dev/null || ! odbcinst -q -d 2>/dev/null | grep -q "PostgreSQL Unicode"; then
    if [ "$(id -u)" = 0 ]; then
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends postgresql-client odbc-postgresql unixodbc \
            >/dev/null || missing "psql and psqlODBC" "apt-get failed"
    else
        missing "psql and psqlODBC" "needs root for apt-get"
    fi
fi
# Clients whose pins do not go together with ours live in environments of their own.
client() { # name, packages…
    name=$1; shift
    [ -d "$root/.tools/$name/lib" ] && return
    "$root/.venv/bin/python" -m venv "$root/.tools/$name" \
        && "$root/.venv/bin/uv" pip install --quiet --python "$root/.tools/$name" "$@" \
        || { rm -rf "$root/.tools/$name"; missing "$name" "pip install failed"; }
}
# dbt-core 1.12 downloads a part of itself from elsewhere when it is built.
client dbt dbt-athena==1.11.1 dbt-core==1.11.16
client awscli awscli==1.46.3
exit 0
