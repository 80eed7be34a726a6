#!/usr/bin/env bash
# Runs every fuzz target for MINUTES minutes, as many at a time as there are processors, under the address and
# undefined-behaviour sanitizers. Prints how many executions each made; ends with status 0 only if none found anything.
# They start from tests/fuzz/corpus and from every seed of the mutation test (build/fuzz-seeds). New inputs are collected in
# build/fuzz-corpus, what was found in build/fuzz-findings.
#
#     bash scripts/fuzz.sh MINUTES [TARGET...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! [[ "${1:-}" =~ ^[1-9][0-9]*$ ]]; then
  echo 'usage: fuzz.sh MINUTES [program | data | bundle | payload | fields | operators | packed]...' >&2
  exit 2
fi
minutes=$1
shift
targets=("$@")
if [ "${#targets[@]}" -eq 0 ]; then targets=(program data bundle payload fields operators packed); fi

bash scripts/setup.sh --clang
cmake --preset fuzz
cmake --build --preset fuzz --parallel "$(nproc)"
build/fuzz/tests/fuzz/onepack_fuzz_seeds build/fuzz-seeds

fuzz() {
  local target=$1 found="build/fuzz-findings/$1" log="build/fuzz-findings/$1.log" status=0
  mkdir -p "build/fuzz-corpus/$target" "$found"
  "build/fuzz/tests/fuzz/onepack_fuzz_$target" "build/fuzz-corpus/$target" "tests/fuzz/corpus/$target" \
    "build/fuzz-seeds/$target" \
    -max_total_time=$((minutes * 60)) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$found/" >"$log" 2>&1 || status=$?
  printf 'fuzz: %-8s %s executions, %s\n' "$target" \
    "$(sed -nE 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)" \
    "$([ "$status" -eq 0 ] && echo 'nothing found' || echo "FAILED, see $log and $found")"
  return "$status"
}

symbolizer=external_symbolizer_path=/usr/bin/llvm-symbolizer-19
export minutes ASAN_OPTIONS=detect_leaks=1:$symbolizer UBSAN_OPTIONS=print_stacktrace=1:$symbolizer
export -f fuzz
printf '%s\0' "${targets[@]}" | xargs -0 -n 1 -P "$(nproc)" bash -c 'fuzz "$1"' fuzz
