#!/usr/bin/env bash
# Runs all peers in all modes, each in a process of its own, and reports: a table on the standard
# output, a Markdown table and plots in a directory. Every run leaves a line of JSON.
#
#   run.sh [--quick] [--runs N] [--records N] [--peers "A B"] [--modes "A B"] [--out DIR]
#
# --runs N        repetitions of the timed modes                                 (default: 3)
# --records N     records of the throughput modes, for every peer
#                 (default: 4,000,000 for fast peers, 500,000 for the others); fewer than
#                 400,000 shorten the other modes too
# --peers "A B"   these rows only; `compare list` names them                     (default: all)
# --modes "A B"   these modes only  (default: verify alloc latency throughput throughput2)
# --out DIR       where table and plots go                         (default: docs/plots)
# --quick         does it run at all? fastlog, two peers and the baselines, built without the
#                 others, once, with 5,000 records; into the scratch directory
#
# COMPARE_DIR     scratch directory on a real disk: logs, results
#                 (default: `compare` in the target directory)
# COMPARE_NATIVE  0: build for any x86-64 rather than for this processor         (default: 1)
# CARGO_TARGET_DIR as ever
#
# Exit code 1 when a run failed; the report is there all the same, and says which.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

readonly TIMED="latency throughput throughput2"
readonly QUICK_PEERS="null raw-pwrite fastlog fastlog-block tracing-nonblocking env-logger-file"
readonly QUICK_RECORDS=5000
readonly LIMIT_S=120

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$here/target}
scratch=${COMPARE_DIR:-$CARGO_TARGET_DIR/compare}
command=benches/compare/run.sh
quick=false runs=3 records='' peers='' modes="verify alloc $TIMED" out=$root/docs/plots

usage() {
    sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
    exit 2
}

while [ $# -gt 0 ]; do
    option=$1
    shift
    if [ "$option" = --quick ]; then
        command+=" --quick"
        quick=true runs=1 records=$QUICK_RECORDS peers=$QUICK_PEERS out=$scratch/plots
        continue
    fi
    [ $# -gt 0 ] || usage
    case $option in
        --runs) runs=$1 ;;
        --records) records=$1 ;;
        --peers) peers=$1 ;;
        --modes) modes=$1 ;;
        --out) out=$1 ;;
        *) usage ;;
    esac
    # Where the plots go changes no figure, and may be a path of this machine.
    [ "$option" = --out ] || command+=" $option '$1'"
    shift
done

# Filters from the environment are for programs, not for the comparison.
unset RUST_LOG FASTLOG
[ "${COMPARE_NATIVE:-1}" = 0 ] || export RUSTFLAGS="${RUSTFLAGS:-} -C target-cpu=native"

build() {
    cargo build --release --locked --quiet --manifest-path "$here/Cargo.toml" "$@"
}

if $quick; then
    # Says nothing about speed, so need not wait for it.
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 build --no-default-features
else
    # zerolog-rs asks for nightly features: this lets its crates alone have them.
    RUSTC_BOOTSTRAP=zerolog_core,zerolog_macros,zerolog build --features zerolog || {
        echo "run.sh: zerolog-rs does not build here; going on without it" >&2
        build
    }
fi
echo "run.sh: built after $SECONDS s" >&2

program=$CARGO_TARGET_DIR/release/compare
peers=${peers:-$("$program" list)}
mkdir -p "$scratch"
results=$scratch/results.jsonl
logs=$(mktemp -d "$scratch/logs.XXXXXX")
trap 'rm -rf "$logs"' EXIT
"$program" about "$(date -u +%F)" "$command" >"$results"
failed=0

# One process, in a directory of its own that is deleted afterwards.
run() {
    local peer=$1 mode=$2 binary=$program code=0 line
    [ "$mode" = alloc ] && binary=$program-alloc
    line=$(timeout "$LIMIT_S" "$binary" run "$peer" "$mode" "$logs/out" ${records:+"$records"} \
        2>"$logs/stderr") || code=$?
    if [ "$code" != 0 ]; then
        line="{\"peer\":\"$peer\",\"mode\":\"$mode\",\"failed\":\"exit $code\"}"
        echo "run.sh: $peer $mode: exit $code: $(tail -n 1 "$logs/stderr")" >&2
        failed=$((failed + 1))
    fi
    echo "$line" >>"$results"
    rm -rf "$logs/out"
}

# All peers in these modes.
pass() {
    local peer mode
    for peer in $peers; do
        for mode in "$@"; do
            [[ " $modes " != *" $mode "* ]] || run "$peer" "$mode"
        done
    done
}

pass verify alloc
for ((n = 1; n <= runs; n++)); do
    pass $TIMED
    echo "run.sh: run $n of $runs done after $SECONDS s" >&2
done

"$program" report "$results" "$out"
echo "run.sh: lines in $results, table and plots in $out, $failed failed, after $SECONDS s" >&2
[ "$failed" = 0 ]
