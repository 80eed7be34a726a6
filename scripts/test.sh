#!/usr/bin/env bash
# Installs what is needed, builds everything and runs all tests: with g++; with the XNNPACK inside the Python package
# executorch, if that can be installed (docs/xnnpack.md); under the address and undefined-behaviour sanitizers with clang
# and libc++, under the thread sanitizer with clang; and what depends on the processor for aarch64, in an emulator
# (docs/aarch64.md). Each check of the sources by scripts/lint.sh counts as a test. The last line is
# "N passed, N failed"; the status is 0 only if tests ran and none failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# With the minutes since the start, for whoever wants this to take less.
say() { printf 'test: %d:%02d %s\n' $((SECONDS / 60)) $((SECONDS % 60)) "$*"; }

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

# set_up OPTION: whether the machine has it now.
set_up() {
  if bash scripts/setup.sh "$1"; then return 0; fi
  say "scripts/setup.sh $1 failed"
  return 1
}

# All at the start: sudo may ask for a password, and forgets it in the meantime.
bash scripts/setup.sh
has_peer=1 has_clang=1 has_aarch64=1
set_up --peer || has_peer=0  # not from where the package index cannot be reached, and not on every processor
set_up --clang || has_clang=0
set_up --python || say 'what the Python package needs cannot be installed here: it was not tested'
set_up --rust || say "Rust's crates cannot be had here: generate was not tested with a tokenizer.json"
if [ "$(uname -m)" != aarch64 ]; then set_up --aarch64 || has_aarch64=0; fi

run_preset dev
if [ "$has_peer" -eq 1 ]; then
  run_preset executorch-xnnpack
else
  say 'executorch cannot be installed here: its XNNPACK, and the backend inside it, were not tested'
fi
if [ "$has_clang" -eq 1 ]; then
  run_lint format
  run_lint reference
  run_lint tidy
  # ccache keeps nothing that was compiled with a precompiled header; these share nothing with another preset.
  export ONEPACK_TEST_PCH=ON ONEPACK_UNITY=ON
  run_preset asan
  run_preset tsan
  if [ "$has_peer" -eq 1 ]; then run_preset executorch-tsan; fi
else
  broken=$((broken + 1))
fi
if [ "$has_aarch64" -eq 0 ]; then
  broken=$((broken + 1))
elif [ "$(uname -m)" != aarch64 ]; then
  ONEPACK_TEST_PCH=ON ONEPACK_UNITY=ON run_preset aarch64
fi
say 'all has run'
if [ "$broken" -gt 0 ]; then
  # Counted, so that the line below does not read as a success.
  failed=$((failed + broken))
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
