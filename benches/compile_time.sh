#!/usr/bin/env bash
# What a call site costs to compile: the user time of a release build of many `fastlog!` calls,
# beside that of as many `println!`. The library and its dependencies are built before.
#
#   benches/compile_time.sh [call sites, 2000 by default] [calls in a function, 20 by default]
#
# Prints both times in seconds and their ratio. COMPILE_TIME_TARGET: a directory to build in.
set -euo pipefail

sites=${1:-2000}
per_function=${2:-20}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
target=${COMPILE_TIME_TARGET:-$work/target}

# Makes a crate and builds what it depends on; then its program is what the function writes.
crate() {
    local name=$1 dependency=$2 write=$3
    mkdir -p "$work/$name/src"
    cp "$root/Cargo.lock" "$work/$name/Cargo.lock"
    cat >"$work/$name/Cargo.toml" <<END
[package]
name = "$name"
version = "0.0.0"
edition = "2024"

[dependencies]
$dependency

[workspace]
END
    echo 'fn main() {}' >"$work/$name/src/main.rs"
    build "$name"
    "$write" >"$work/$name/src/main.rs"
}

build() {
    CARGO_TARGET_DIR=$target cargo build --release --quiet --offline \
        --manifest-path "$work/$1/Cargo.toml"
}

# A program of functions, each of which makes some calls; awk's `call(n)` is the text of one.
program() {
    awk -v sites="$sites" -v per="$per_function" "$1"'
        BEGIN {
            for (n = 0; n < sites; n++) {
                if (n % per == 0) printf "#[inline(never)]\nfn f%d(user: &str, ms: f64) {\n", n / per
                call(n)
                if (n % per == per - 1 || n == sites - 1) print "}"
            }
            print "fn main() {"
            for (f = 0; f < sites / per; f++) printf "    f%d(\"ann\", 1.5);\n", f
            print "}"
        }'
}

with_fastlog() {
    program 'function call(n) {
        printf "    fastlog::fastlog!(INFO, \"order {id} of {user} took {ms:.1} ms\", "
        printf "id = %d, user, ms);\n", n
    }'
}

with_println() {
    program 'function call(n) {
        printf "    println!(\"order {id} of {user} took {ms:.1} ms\", id = %d);\n", n
    }'
}

# The user time of a build, in seconds.
user_time() {
    local TIMEFORMAT=%U
    { time build "$1" >&2; } 2>&1
}

crate with-println '' with_println
crate with-fastlog "fastlog = { path = \"$root\", package = \"fastlog-engine\" }" with_fastlog
println=$(user_time with-println)
fastlog=$(user_time with-fastlog)
awk -v sites="$sites" -v a="$println" -v b="$fastlog" 'BEGIN {
    printf "%d call sites: println! %.2f s, fastlog! %.2f s of user time, ratio %.2f\n",
        sites, a, b, b / a
}'
