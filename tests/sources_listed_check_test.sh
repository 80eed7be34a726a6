#!/bin/sh
# sources_listed_check_test.sh: sources_listed_test.sh finds a source that is not listed, and no other.
check=$(dirname "$0")/sources_listed_test.sh
tree=$(mktemp -d) || exit 2
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/a/b" "$tree/build/a"
echo 'library(y HEADERS tensor.h)' > "$tree/CMakeLists.txt"
touch "$tree/tensor.cpp" "$tree/a/b/listed.cpp" "$tree/a/b/forgotten.cpp" "$tree/a/fuzz_file.cpp" "$tree/build/a/made.cpp"
echo 'add_library(x b/listed.cpp) foreach(y file)' > "$tree/a/CMakeLists.txt"

found=$(sh "$check" "$tree") && { echo 'nothing found'; exit 1; }
[ "$(echo "$found" | sort)" = './a/b/forgotten.cpp is in no CMakeLists.txt
./tensor.cpp is in no CMakeLists.txt' ] || { echo "found: $found"; exit 1; }
