#!/usr/bin/env bash
# Installs what is needed, builds the demo and runs it. Ends in one prompt that a base and its adapters answer, and a table:
# programs that share a foundation, with one cache of packed weights and with a cache for each. Further arguments go to the
# demo (see: onepack-demo --help).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'demo: %s\n' "$*"; }

# What builds say matters only when they fail.
quietly() {
  local log status=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 || status=$?
  if [ "$status" -ne 0 ]; then cat "$log" >&2; fi
  rm -f "$log"
  return "$status"
}

bash scripts/setup.sh
say "configuring (cmake --preset release)"
quietly cmake --preset release
say "building (cmake --build --preset release --target onepack_demo)"
quietly cmake --build --preset release --parallel "$(nproc)" --target onepack_demo

models=examples/tiny_lm/files
cases=()
for program in base json quiz spanish; do cases+=("$models/fp32/$program.json"); done
say "running"
exec build/release/examples/demo/onepack-demo "${cases[@]}" --generate --models "$models/fp32" \
  --tokenizer "$models/tokenizer.model" --prompt "Anna lives in Oslo. She has a red bicycle and likes soup." "$@"
