#!/usr/bin/env bash
# Installs what is needed, builds everything and runs all tests: as they are, under the address and undefined-behaviour
# sanitizers, and with the XNNPACK inside the Python package executorch if that can be installed (docs/xnnpack.md). That
# all sources are formatted (scripts/lint.sh) counts as a test. The last line is "N passed, N failed"; the status is 0
# only if tests ran and none failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'test: %s\n' "$*"; }

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
passed=0
failed=0
broken=0  # presets that did not build, or ran no test

# Adds up ctest's own closing line: "97% tests passed, 2 tests failed out of 80". Tests that were skipped count as
# passed there; "No tests were found!!!" has no such line.
count_tests() {
  local line fail total
  line=$(grep -E '^[0-9]+% tests passed, [0-9]+ tests? failed out of [0-9]+' "$1" | tail -n 1) || return 1
  fail=$(sed -E 's/.* passed, ([0-9]+) tests? failed.*/\1/' <<<"$line")
  total=$(sed -E 's/.* out of ([0-9]+).*/\1/' <<<"$line")
  if [ "$total" -eq 0 ]; then return 1; fi
  passed=$((passed + total - fail))
  failed=$((failed + fail))
}

run_preset() {
  local preset=$1 log="$logs/$1" status=0 failed_before=$failed
  say "cmake --workflow --preset $preset"
  cmake --workflow --preset "$preset" 2>&1 | tee "$log" || status=$?
  if ! count_tests "$log"; then
    say "preset $preset ran no tests"
    broken=$((broken + 1))
  elif [ "$status" -ne 0 ] && [ "$failed" -eq "$failed_before" ]; then
    say "preset $preset ended with status $status"
    broken=$((broken + 1))
  fi
}

run_lint() {
  say "scripts/lint.sh $1"
  if bash scripts/lint.sh "$1"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

jobs=$(nproc)
# What two presets compile in the same way is compiled once: folders are not a difference.
export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$PWD} CCACHE_NOHASHDIR=${CCACHE_NOHASHDIR:-1}
export CMAKE_BUILD_PARALLEL_LEVEL=$jobs CTEST_PARALLEL_LEVEL=$jobs
export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1

bash scripts/setup.sh
# Not from where the package index cannot be reached, and not on every processor.
skipped=''
if ! bash scripts/setup.sh --peer; then skipped='executorch cannot be installed here: its XNNPACK was not tested'; fi
run_preset dev
if bash scripts/setup.sh --clang; then run_lint format; else say 'no clang-format 19 here: formatting was not tested'; fi
run_preset asan
if [ -z "$skipped" ]; then run_preset executorch-xnnpack; else say "$skipped"; fi
if [ "$broken" -gt 0 ]; then
  # Counted, so that the line below does not read as a success.
  failed=$((failed + broken))
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
