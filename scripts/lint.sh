#!/usr/bin/env bash
# Looks at the sources: "format", that every file is as clang-format makes it; "tidy", that clang-tidy finds nothing of
# what .clang-tidy lists, in any source that is not a test and in the headers of theirs; "tidy-tests", the same of tests,
# which takes as long again; "reference", that Doxygen makes the API reference (build/api/html) without a warning. Without
# arguments all of them. One version of clang's tools, because another formats differently and finds other things.
#
#     bash scripts/lint.sh [format | tidy | tidy-tests | reference]...
#
# The status is 0 only if nothing was found; the last line of each says which passed and which failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly version=19
checks=("$@")
if [ "${#checks[@]}" -eq 0 ]; then checks=(format tidy tidy-tests reference); fi

format() { git ls-files -z -- '*.c' '*.cpp' '*.h' | xargs -0 "clang-format-$version" --dry-run --Werror; }

# clang-tidy reads how the compiler is called, and what flatc generates.
prepare_tidy() {
  cmake --preset tidy >/dev/null && cmake --build --preset tidy || return
  cmake --preset dev >/dev/null && cmake --build --preset dev --target onepack_schema_generated onepack_edit_generated
}

# What the preset tidy leaves out, the preset dev compiles: what is linked with Google Benchmark, ExecuTorch, SentencePiece,
# Hugging Face's tokenizers or Python, and what counts.
tidy() {
  prepare_tidy || return
  local status=0
  # Those of a library are compiled together, some at a time, which halves the time of this.
  run_tidy build/tidy "^$PWD/(?!build/|tests/)" "^$PWD/build/tidy/.*/Unity/" || status=1
  run_tidy build/dev "^$PWD/(bench/|python/|tools/(sentence_piece|hugging_face)_tokenizer\.)" || status=1
  # For the package that they are for, where it is.
  if [ -d build/peer/executorch ]; then
    cmake --preset executorch-xnnpack >/dev/null
    cmake --build --preset executorch-xnnpack --target onepack_schema_generated
    run_tidy build/executorch-xnnpack "^$PWD/integrations/executorch/[^/]*\.cpp" || status=1
  fi
  return "$status"
}

tidy-tests() {
  prepare_tidy || return
  local status=0
  run_tidy build/tidy "^$PWD/tests/" || status=1
  run_tidy build/dev "^$PWD/tests/(peer|counts)/" "^$PWD/tests/tools/(.*_tokenizer|bad_tokenizer_json|command_generate_(text|json))_test\." \
    "^$PWD/tests/examples/tiny_lm_test\." || status=1
  return "$status"
}

reference() { mkdir -p build && doxygen docs/Doxyfile; }

# run_tidy FOLDER REGEX...
run_tidy() {
  "run-clang-tidy-$version" -clang-tidy-binary "clang-tidy-$version" -quiet -j "$(nproc)" -p "$@"
}

status=0
for check in "${checks[@]}"; do
  case "$check" in
    format | tidy | tidy-tests | reference) ;;
    *)
      echo 'usage: lint.sh [format | tidy | tidy-tests | reference]...' >&2
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
