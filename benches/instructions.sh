#!/usr/bin/env bash
# Counts instructions per record, stage by stage, under valgrind, and compares them with
# `instructions.txt`: exit code 1 when one differs by more than its tolerance. Counts repeat on a
# loaded machine, which times do not. They belong to one compiler: with another they are printed,
# not compared.
#
#   benches/instructions.sh            all stages
#   benches/instructions.sh json call  these
#   benches/instructions.sh --write    all, and keep them as what is expected
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Two runs, one twice as long: the difference is free of what the start costs.
readonly TIMES=2048
readonly TOLERANCE_PERCENT=8
readonly EXPECTED=benches/instructions.txt

if ! command -v valgrind >/dev/null; then
    echo "instructions are not counted: valgrind is not installed"
    exit 0
fi
if [ "$(uname -m)" != x86_64 ]; then
    echo "instructions are not counted: what is expected is that of x86-64"
    exit 0
fi

write=false
[ "${1:-}" = --write ] && { write=true; shift; }
built=$(cargo bench --no-run --features bench-internals --bench instructions 2>&1) || {
    echo "$built" >&2
    exit 1
}
binary=$(sed -n 's/.*Executable.*(\(.*\))$/\1/p' <<<"$built")
compiler=$(rustc --version | cut -d ' ' -f 2)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# Instructions of one run.
count() {
    local stage=$1 times=$2 only=()
    # Of a call, what its thread executes, whatever the engine's threads do meanwhile.
    [ "$stage" = call ] && only=(--toggle-collect='*counted_call*')
    valgrind --tool=callgrind --callgrind-out-file="$dir/out" "${only[@]}" \
        "$binary" "$stage" "$times" 2>&1 | sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

stages=("$@")
[ ${#stages[@]} -gt 0 ] || mapfile -t stages < <("$binary")
if $write; then
    {
        echo "# Instructions per record, by instructions.sh --write. The compiler they belong to:"
        echo "rustc $compiler"
    } >"$EXPECTED"
fi
is_same_compiler=$(grep -c "^rustc $compiler$" "$EXPECTED" || true)
failed=0
for stage in "${stages[@]}"; do
    once=$(count "$stage" "$TIMES")
    twice=$(count "$stage" $((2 * TIMES)))
    found=$(((twice - once + TIMES / 2) / TIMES))
    $write && echo "$stage $found" >>"$EXPECTED"
    expected=$(sed -n "s/^$stage \([0-9]*\)$/\1/p" "$EXPECTED")
    if [ "$is_same_compiler" = 0 ] || [ -z "$expected" ]; then
        echo "$stage: $found instructions, not compared"
        continue
    fi
    difference=$((found - expected))
    allowed=$((expected * TOLERANCE_PERCENT / 100))
    if [ "${difference#-}" -gt "$allowed" ]; then
        echo "$stage: $found instructions, expected $expected: a change to explain, and to write down"
        failed=1
    else
        echo "$stage: $found instructions, expected $expected"
    fi
done
exit "$failed"
