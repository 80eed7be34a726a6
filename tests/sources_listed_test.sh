#!/bin/sh
# Fails when a .cpp is named by no CMakeLists.txt of its folder or of one above: it would never be compiled, and its
# tests never run.
#
#   sources_listed_test.sh [ROOT]
set -u
root=${1:-$(dirname "$0")/..}
cd "$root" || exit 127

# How some CMakeLists.txt write the names of several files in one line.
stem_of() { basename "$1" .cpp | sed 's/^fuzz_//'; }

is_listed() {
  folder=$(dirname "$1")
  while :; do
    if [ -e "$folder/CMakeLists.txt" ] && grep -qw -e "$(stem_of "$1")" "$folder/CMakeLists.txt"; then return 0; fi
    if [ "$folder" = . ]; then return 1; fi
    folder=$(dirname "$folder")
  done
}

status=0
count=0
for file in $(find . -name '*.cpp' -not -path './build*/*' -not -path './.*/*'); do
  count=$((count + 1))
  if ! is_listed "$file"; then
    echo "$file is in no CMakeLists.txt"
    status=1
  fi
done
[ "$count" -gt 0 ] || { echo "no source in $root" >&2; exit 127; }
exit $status
