# Shared by the scripts behind the Makefile's verbs. Sourced, not run.
#
# Nothing here touches an installed PostgreSQL: the extension is built against its headers, and tried in a copy of its
# files in a directory of its own, with clusters of its own on Unix sockets. All of it is removed at the end.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PG=${PG:-15}
PGRX_VERSION=0.18.1
VERSION=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$ROOT/Cargo.toml" | head -n 1)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/pg_cordon

export PGRX_HOME=$ROOT/pgrx-config
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target}
# CPU=native builds for this machine's processor alone, which seals and opens faster.
[ -z "${CPU:-}" ] || export CARGO_TARGET_DIR=$CARGO_TARGET_DIR/cpu-$CPU
# The library names the places of sources, for messages that nobody sees: not by this machine's directories.
FLAGS="--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src=/crates --remap-path-prefix=$CARGO_TARGET_DIR=/target${CPU:+ -Ctarget-cpu=$CPU}"
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS=$FLAGS CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS=$FLAGS
# The same for what is compiled of C.
export CFLAGS=-ffile-prefix-map=$CARGO_TARGET_DIR=/target
# It would put flags of its own into the build, and pgrx's schema would be missing from the library.
unset RUSTFLAGS

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else fail "this needs root: $*"
    fi
}

# install_packages PACKAGE…: the Debian packages that are missing.
install_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return
    command -v apt-get >/dev/null || fail "install these first (this is not a Debian system): ${missing[*]}"
    say "installing Debian packages: ${missing[*]}"
    as_root apt-get update -q >/dev/null
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
}

# postgresql_from_source VERSION: its pg_config, built once.
postgresql_from_source() {
    local built=$CACHE/postgresql-$1-assert
    if [ ! -x "$built/bin/pg_config" ]; then
        install_packages gcc make bison flex perl bzip2 libicu-dev libssl-dev zlib1g-dev
        say "building PostgreSQL $1 (about 5 minutes, once)"
        mkdir -p "$CACHE"
        "$ROOT/scripts/postgresql-from-source" "$1" "$built" || fail "PostgreSQL $1 could not be built"
    fi
    echo "$built/bin/pg_config"
}

# postgresql VERSION: its pg_config. From Debian's packages where there are some, else built once, some minutes long.
postgresql() {
    # Not 15: where the lists of packages were never fetched, none is known, and installing fetches them.
    if [ "$1" != 15 ] && [ ! -x "/usr/lib/postgresql/$1/bin/pg_config" ] \
        && ! apt-cache show "postgresql-server-dev-$1" >/dev/null 2>&1; then
        postgresql_from_source "$1"
        return
    fi
    install_packages "postgresql-$1" "postgresql-server-dev-$1"
    echo "/usr/lib/postgresql/$1/bin/pg_config"
}

# What a build needs, installed where missing.
prepare() {
    command -v cargo >/dev/null || fail "no cargo: install a Rust toolchain (https://rustup.rs)"
    PG_CONFIG=${PG_CONFIG:-$(postgresql "$PG")}
    install_packages clang libclang-dev pkg-config
    [ -x "$PG_CONFIG" ] || fail "no $PG_CONFIG"
    # pgrx knows of Debian's PostgreSQL 15 by pgrx-config/config.toml.
    [ "$PG_CONFIG" = /usr/lib/postgresql/15/bin/pg_config ] || export PGRX_PG_CONFIG_PATH=$PG_CONFIG

    if [ "$(cargo pgrx --version 2>/dev/null)" != "cargo-pgrx $PGRX_VERSION" ]; then
        # Beside, not over, a cargo-pgrx of another version.
        export PATH=$CACHE/cargo-pgrx-$PGRX_VERSION/bin:$PATH
        if [ "$(cargo pgrx --version 2>/dev/null)" != "cargo-pgrx $PGRX_VERSION" ]; then
            say "building cargo-pgrx $PGRX_VERSION (about 5 minutes, once)"
            cargo install --quiet --locked cargo-pgrx --version $PGRX_VERSION --root "$CACHE/cargo-pgrx-$PGRX_VERSION"
        fi
    fi
}

# require_release_build: refuses the PostgreSQL that is built here for tests, which checks itself.
require_release_build() {
    case $("$PG_CONFIG" --configure) in
        *--enable-cassert*) fail "PostgreSQL $PG is one that was built for tests: install postgresql-$PG and postgresql-server-dev-$PG (apt.postgresql.org), or name another PG_CONFIG" ;;
    esac
}

# Shows each line that it reads in place of the one before.
last_line() {
    local line
    while IFS= read -r line; do printf '\r\033[K%.*s' "$(($(tput cols 2>/dev/null || echo 80) - 1))" "$line"; done
    printf '\r\033[K'
}

# package DIRECTORY: the files of an installation, laid out under DIRECTORY.
package() {
    say "building pg_cordon for PostgreSQL $PG (about 2 minutes the first time)"
    local show=cat
    # What is being compiled, on one line where there is somebody to see it.
    [ -t 2 ] && show=last_line
    (cd "$ROOT" && CARGO_TERM_COLOR=never NO_COLOR=1 cargo pgrx package --pg-config "$PG_CONFIG" --no-default-features --features "pg$PG" --out-dir "$1") \
        2>&1 | tee "$1.log" | $show >&2 || fail "the build failed: $(tail -n 50 "$1.log")"
    local changes scripts=$1$("$PG_CONFIG" --sharedir)/extension
    for changes in "$ROOT"/sql/upgrade/*--"$VERSION".sql; do
        "$ROOT/scripts/upgrade-script" "$scripts/pg_cordon--$VERSION.sql" "$changes" >"$scripts/pg_cordon--$(basename "$changes")"
    done
}

# stage: a copy of PostgreSQL with the extension.
stage() {
    stage_postgresql
    package "$STAGE/package"
    cp -a "$STAGE/package/." "$STAGE/root/"
}

# stage_postgresql: a copy of PostgreSQL, in the new directory $STAGE, its programs in $CORDON_PG_BIN. PostgreSQL finds its
# files by their place relative to its programs, so the copy is complete in itself.
stage_postgresql() {
    STAGE=$(mktemp -d "${TMPDIR:-/tmp}/pg_cordon.XXXXXX")
    chmod 755 "$STAGE"
    trap unstage EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP

    local directory
    for directory in --bindir --pkglibdir --sharedir; do
        directory=$("$PG_CONFIG" $directory)
        mkdir -p "$STAGE/root$directory"
        cp -a "$directory/." "$STAGE/root$directory/"
    done
    # Should this one have the extension installed, the copy has not.
    rm -f "$STAGE/root$("$PG_CONFIG" --pkglibdir)"/pg_cordon* "$STAGE/root$("$PG_CONFIG" --sharedir)/extension"/pg_cordon*
    # Those of Debian find libpq by themselves; the library of others may be where the server's user cannot look.
    local libraries
    libraries=$("$PG_CONFIG" --libdir)
    case $libraries in /usr/lib/*) ;; *) export LD_LIBRARY_PATH=$STAGE/root$libraries ;; esac
    export CORDON_PG_BIN=$STAGE/root$("$PG_CONFIG" --bindir) CORDON_STAGE=$STAGE
    # For a test that compiles a library of its own.
    CORDON_PG_INCLUDE=$("$PG_CONFIG" --includedir-server)
    export CORDON_PG_INCLUDE
    # PostgreSQL's programs refuse to run as root.
    SERVER_USER=$(id -un)
    if [ "$(id -u)" = 0 ]; then
        SERVER_USER=postgres
        # Which makes that user.
        id postgres >/dev/null 2>&1 || install_packages postgresql-common
    fi
    export CORDON_SERVER_USER=$SERVER_USER
    mkdir "$STAGE/clusters"
    [ "$(id -u)" = 0 ] && chown "$SERVER_USER" "$STAGE/clusters"
    return 0
}

# Stops what still runs in $STAGE and removes it, whatever happened.
unstage() {
    local status=$? pid_file
    for pid_file in "$STAGE"/clusters/*/data/postmaster.pid; do
        [ -f "$pid_file" ] && kill -QUIT "$(head -n 1 "$pid_file")" 2>/dev/null
    done
    rm -rf "$STAGE" 2>/dev/null || { sleep 1; rm -rf "$STAGE"; }
    exit $status
}

# as_server COMMAND…: as the user that servers run as.
as_server() {
    if [ "$(id -u)" = 0 ]; then runuser -u "$SERVER_USER" -- "$@"; else "$@"; fi
}

# query OPTION…: psql on the cluster, its answers alone.
query() { "$CORDON_PG_BIN/psql" --no-psqlrc --quiet --no-align --tuples-only --set ON_ERROR_STOP=1 "$@"; }

# start_cluster NAME [SETTING…]: a new cluster with its socket in its own directory, $CLUSTER; with $INITDB_OPTIONS.
start_cluster() {
    CLUSTER=$STAGE/clusters/$1
    shift
    as_server mkdir "$CLUSTER"
    as_server "$CORDON_PG_BIN/initdb" --pgdata "$CLUSTER/data" --auth trust --username postgres --no-sync \
        --encoding UTF8 --locale C ${INITDB_OPTIONS:-} >/dev/null
    {
        cat "$ROOT/pgrx-config/postgresql.conf"
        printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$CLUSTER'" "$@"
    } | as_server tee -a "$CLUSTER/data/postgresql.conf" >/dev/null
    as_server "$CORDON_PG_BIN/pg_ctl" --pgdata "$CLUSTER/data" --log "$CLUSTER/log" --silent --wait start >/dev/null \
        || { cat "$CLUSTER/log" >&2; fail "the server did not start"; }
    export PGHOST=$CLUSTER PGUSER=postgres PGDATABASE=postgres
    unset PGPORT PGOPTIONS PGPASSWORD PGSERVICE
}
