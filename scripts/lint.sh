#!/usr/bin/env bash
# Looks at the sources: "format", that every file is as clang-format makes it; "tidy", that clang-tidy finds nothing of
# what .clang-tidy lists, in any source that the presets clang and dev compile and in the headers of theirs. Without
# arguments both. One version of the tools, because another formats differently and finds other things.
#
#     bash scripts/lint.sh [format | tidy]...
#
# The status is 0 only if nothing was found; the last line of each says which passed and which failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly version=19
checks=("$@")
if [ "${#checks[@]}" -eq 0 ]; then checks=(format tidy); fi

format() { git ls-files -z -- '*.c' '*.cpp' '*.h' | xargs -0 "clang-format-$version" --dry-run --Werror; }

# clang-tidy reads what flatc generates, how the compiler is called, and the precompiled headers of the preset clang, which
# is compiled by the same version. Then what that preset leaves out: the benchmarks, ExecuTorch and SentencePiece.
tidy() {
  local left_out status=0
  ONEPACK_TEST_PCH=ON cmake --preset clang >/dev/null || return
  cmake --build --preset clang --target onepack_schema_generated onepack_edit_generated onepack_test_headers || return
  cmake --preset dev >/dev/null || return
  cmake --build --preset dev --target onepack_schema_generated onepack_edit_generated || return
  run_tidy build/clang "^$PWD/(?!build/)" || status=1
  left_out=$(git grep -lE '<sentencepiece_|<benchmark/|<executorch/' -- '*.cpp' && git ls-files -- 'bench/*.cpp') || return
  # shellcheck disable=SC2046
  run_tidy build/dev $(sort -u <<<"$left_out" | sed "s|^|^$PWD/|; s|\$|\$|") || status=1
  return "$status"
}

# run_tidy FOLDER REGEX...
run_tidy() {
  "run-clang-tidy-$version" -clang-tidy-binary "clang-tidy-$version" -quiet -j "$(nproc)" -p "$@"
}

status=0
for check in "${checks[@]}"; do
  case "$check" in
    format | tidy) ;;
    *)
      echo 'usage: lint.sh [format | tidy]...' >&2
      exit 2
      ;;
  esac
  if "$check"; then
    echo "lint: $check passed"
  else
    echo "lint: $check failed"
    status=1
  fi
done
exit "$status"
