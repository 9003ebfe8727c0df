#!/bin/sh
# Installs the servers that the tests run against. A tool that cannot be had is told loudly; the
# tests that need it then skip with that reason (and fail in CI, where CI=true).
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
bin="$root/.tools/bin"
mkdir -p "$bin"

missing() { echo "NOT INSTALLED: $1: $2" >&2; }

debian() { # name, packages…
    name=$1; shift
    [ "$(id -u)" = 0 ] || { missing "$name" "needs root for apt-get"; return 1; }
    apt-get update -qq
    # The tests start their own servers: a package must not replace one's configuration.
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o Dpkg::Options::=--force-confold "$@" >/dev/null || { missing "$name" "apt-get failed"; return 1; }
}

if [ ! -x "$bin/versitygw" ]; then
    # Debian's Go fetches the newer toolchain that the module asks for through the Go proxy.
    { command -v go >/dev/null || debian Go golang-go; } \
        && GOBIN="$bin" GOTOOLCHAIN=auto go install github.com/versity/versitygw/cmd/versitygw@v1.8.0 \
        || missing versitygw "go install failed"
fi
[ -x "$bin/toxiproxy" ] || { GOBIN="$bin" go install github.com/Shopify/toxiproxy/v2/cmd/server@v2.5.0 \
    && mv "$bin/server" "$bin/toxiproxy"; } || missing toxiproxy "go install failed"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || debian PostgreSQL postgresql
ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || debian libfaketime libfaketime
command -v psql >/dev/null || debian psql postgresql-client
odbcinst -q -d 2>/dev/null | grep -q "PostgreSQL Unicode" || debian psqlODBC odbc-postgresql unixodbc
# Maven gets the Java clients, and brings a Java runtime where there is none.
command -v mvn >/dev/null || debian Maven maven default-jre-headless
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
