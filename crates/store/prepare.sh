#!/bin/sh
# Checks every query of this crate against a throw-away Postgres and rewrites the offline data in /.sqlx.
# Run it after changing a query or a migration. `prepare.sh start <folder>` only starts a migrated cluster there and prints its URL;
# `prepare.sh stop <folder>` stops and removes it. POSTGRES_BIN names another bin folder.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
bin=${POSTGRES_BIN:-$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)}
[ -n "$bin" ] || { echo "prepare.sh: no Postgres under /usr/lib/postgresql; set POSTGRES_BIN" >&2; exit 1; }

# Postgres refuses to run as root.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid="$(id -u nobody)" --regid="$(id -g nobody)" --clear-groups env HOME=/ "$@"
    else
        "$@"
    fi
}

start() {
    mkdir -p "$1"
    if [ "$(id -u)" = 0 ]; then chown nobody "$1"; fi
    as_postgres "$bin/initdb" --pgdata="$1/data" --username=postgres --auth=trust --no-sync >/dev/null
    as_postgres "$bin/pg_ctl" --pgdata="$1/data" --log="$1/log" --wait --silent start \
        -o "-c listen_addresses='' -c unix_socket_directories='$1' -c fsync=off -c synchronous_commit=off"
    as_postgres "$bin/createdb" --host="$1" --username=postgres hearth
    for file in "$root"/migrations/control-plane/*.sql; do
        "$bin/psql" --host="$1" --username=postgres --dbname=hearth --quiet --no-psqlrc --single-transaction \
            --set=ON_ERROR_STOP=1 --file="$file"
    done
    echo "postgresql://postgres@localhost/hearth?host=$1"
}

stop() {
    as_postgres "$bin/pg_ctl" --pgdata="$1/data" --mode=immediate --silent stop || true
    rm -rf "$1"
}

case ${1:-check} in
start) start "$2" ;;
stop) stop "$2" ;;
check)
    folder=$(mktemp -d /tmp/hearth-prepare.XXXXXX)
    fresh=$(mktemp -d)
    trap 'stop "$folder"; rm -rf "$fresh"' EXIT
    DATABASE_URL=$(start "$folder")
    # The macros look at queries only while they are compiled.
    touch "$root"/crates/store/src/lib.rs
    (cd "$root" && DATABASE_URL=$DATABASE_URL SQLX_OFFLINE=false SQLX_OFFLINE_DIR=$fresh cargo check --package store)
    mkdir -p "$root/.sqlx"
    # New data first, so that a build that runs now finds what it needs.
    cp "$fresh"/*.json "$root/.sqlx/"
    for file in "$root"/.sqlx/*.json; do [ -e "$fresh/$(basename "$file")" ] || rm "$file"; done
    ;;
*)
    echo "usage: prepare.sh [check | start <folder> | stop <folder>]" >&2
    exit 1
    ;;
esac
