#!/bin/sh
# include_direction_check_test.sh: include_direction_test.sh finds every kind of include that breaks a rule, and no other.
check=$(dirname "$0")/include_direction_test.sh
tree=$(mktemp -d) || exit 2
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/include/onepack" "$tree/low/room" "$tree/high" "$tree/top" "$tree/stray" "$tree/tests" "$tree/build/low"

cat > "$tree/ARCHITECTURE.md" <<'TABLE'
## Something else
| `low/` | high | any |
## Folders and what they may include
| folder | may include | headers of libraries |
| --- | --- | --- |
| `schema/` | | `lib/` |
| `low/` | | `lib/` in `only` only |
| `low/room/` | low, unknown | `tool.h` |
| `high/` | all above but low/room | |
| `top/` | all above | any |
## Public headers
| folder | headers |
| --- | --- |
| `low/room/` | shown, other |
| `gone/` | lost |
TABLE

# include FILE HEADER...: a source with these includes, one a line.
include() {
  file=$tree/$1
  shift
  for header in "$@"; do printf '#include %s\n' "$header"; done > "$file"
}
include low/good.h '<vector>' '<unistd.h>' '<sys/mman.h>' '"low/good.h"'
include low/only.cpp '"lib/a.h"'
include low/bad.cpp '"low/good.h"' '"high/a.h"' '"low/room/a.h"' '"lib/a.h"' '<tool.h>' '"a_generated.h"' '<new_library.h>'
include low/room/a.h '"low/good.h"' '<tool.h>' '  "lib/a.h"'
include high/a.h '"low/good.h"' '"a_generated.h"' '"low/room/a.h"' '"lib/a.h"'
include top/a.cpp '"high/a.h"' '"low/room/a.h"' '"lib/a.h"' '<new_library.h>'
include stray/a.h '<vector>'
include include/onepack/shown.h '"low/good.h"' '"high/a.h"'
include include/onepack/nobodys.h '<vector>'
include low/shown.cpp '"onepack/shown.h"'
include build/low/a.h '"high/a.h"'
printf '// #include "high/a.h"\nconst char kText[] = "x";\n#  include "high/b.h"\n' > "$tree/low/odd.h"
printf '# FILE HEADER\nlow/odd.h high/b.h\nlow/good.h high/a.h\n' > "$tree/tests/include_direction_debts.txt"

cat > "$tree/expected" <<'EXPECTED'
ARCHITECTURE.md:8: low/room/ names unknown, which has no row above
ARCHITECTURE.md:15: gone/ has no row above
high/a.h:3: high/ may not include low/room/a.h
high/a.h:4: high/ may not include lib/a.h
include/onepack/nobodys.h:1: its folder has no row in ARCHITECTURE.md
include/onepack/shown.h:2: low/room/ may not include high/a.h
low/bad.cpp:2: low/ may not include high/a.h
low/bad.cpp:3: low/ may not include low/room/a.h
low/bad.cpp:4: low/ may not include lib/a.h
low/bad.cpp:5: low/ may not include tool.h
low/bad.cpp:6: low/ may not include a_generated.h
low/bad.cpp:7: low/ may not include new_library.h
low/room/a.h:3: low/room/ may not include lib/a.h
low/shown.cpp:1: low/ may not include onepack/shown.h
stray/a.h:1: its folder has no row in ARCHITECTURE.md
tests/include_direction_debts.txt:3: paid: low/good.h no longer breaks a rule with high/a.h
EXPECTED

sh "$check" "$tree" > "$tree/found"
status=$?
if ! diff "$tree/expected" "$tree/found"; then
  echo "what is expected is marked <, what was found >"
  exit 1
fi
[ "$status" -eq 1 ] || { echo "status $status, 1 expected"; exit 1; }

# Without the breaks, and without debts, it is silent.
rm -r "$tree/low/bad.cpp" "$tree/low/shown.cpp" "$tree/include" "$tree/low/odd.h" "$tree/stray" "$tree/high" "$tree/tests/include_direction_debts.txt"
include low/room/a.h '"low/good.h"' '<tool.h>'
sed -i 's/, unknown//; /gone/d' "$tree/ARCHITECTURE.md"
sh "$check" "$tree" || { echo "a tree that follows the rules fails"; exit 1; }
