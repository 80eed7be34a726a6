#!/bin/sh
# Fails when a .cpp or .c is named by no CMakeLists.txt of its folder or of one above: it would never be compiled, and its
# tests never run.
#
#   sources_listed_test.sh [ROOT]
set -u
root=${1:-$(dirname "$0")/..}
cd "$root" || exit 127

# A list names the file; a loop (foreach, or a list that one goes through) names several by their stems.
names() {  # CMAKELISTS FILE
  name=$(basename "$2")
  grep -qE "(^|[ /(])$(printf %s "$name" | sed 's/\./\\./g')([ )\"]|\$)" "$1" && return 0
  stem=$(printf %s "${name%.*}" | sed 's/^fuzz_//')
  grep -E 'foreach|set\(|_benchmark\(' "$1" | grep -qE "(^|[ (])$stem([ )]|\$)"
}

is_listed() {
  folder=$(dirname "$1")
  while :; do
    if [ -e "$folder/CMakeLists.txt" ] && names "$folder/CMakeLists.txt" "$1"; then return 0; fi
    if [ "$folder" = . ]; then return 1; fi
    folder=$(dirname "$folder")
  done
}

status=0
count=0
for file in $(find . \( -name '*.cpp' -o -name '*.c' \) -not -path './build*/*' -not -path './.*/*'); do
  count=$((count + 1))
  if ! is_listed "$file"; then
    echo "$file is in no CMakeLists.txt"
    status=1
  fi
done
[ "$count" -gt 0 ] || { echo "no source in $root" >&2; exit 127; }
exit $status
