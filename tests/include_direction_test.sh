#!/bin/sh
# include_direction_test.sh [ROOT]: every #include of the tree follows the table in ARCHITECTURE.md.
#
# Exit status: 0 all do; 1 some do not, each named by file and line; 2 the check could not be made.
#
# tests/include_direction_debts.txt, where it is there, lists includes that break a rule for now, one a line as
# "FILE HEADER". An entry that breaks none any more fails the test, too: the list can only shrink.
root=${1:-$(dirname "$0")/..}
cd "$root" || exit 2
[ -r ARCHITECTURE.md ] || { echo "there is no ARCHITECTURE.md in $PWD" >&2; exit 2; }
debts=tests/include_direction_debts.txt
[ -r "$debts" ] || debts=/dev/null
files=$(find . -type d \( -name '.?*' -o -path ./build \) -prune -o -type f \( -name '*.h' -o -name '*.cpp' \) -print |
  sed 's|^\./||' | sort)
[ -n "$files" ] || { echo "no sources in $PWD" >&2; exit 2; }

# No name here has a space in it: the paths are the project's own.
# shellcheck disable=SC2086
exec awk '
function trim(text) { gsub(/^[ `]+|[ `\/]+$/, "", text); return text }

# The row that a file or a header belongs to: of a public header what its own table says, else the longest folder that
# is one; "" for none.
function row_of(path) {
  sub(/^onepack\//, "include/onepack/", path)
  if (path in owner) return owner[path]
  while (sub(/\/[^\/]*$/, "", path)) if (path in rows) return path
  return ""
}

# | `folder/` | FOLDER, ... or all above [but FOLDER, ...] | `headers` of libraries | ... |
function read_row(    cells, names, n, i, row, list, name, but) {
  split($0, cells, "|")
  row = trim(cells[2])
  but = sub(/all above( but)?/, "", cells[3])
  if (but) for (name in rows) may[row, name] = 1
  n = split(cells[3], names, ",")
  for (i = 1; i <= n; ++i) if ((name = trim(names[i])) != "") {
    if (!(name in rows)) { print "ARCHITECTURE.md:" FNR ": " row "/ names " name ", which has no row above"; wrong = 1 }
    if (but) delete may[row, name]
    else may[row, name] = 1
  }
  rows[row] = may[row, row] = 1
  list = cells[4]
  if (list ~ /any/) any[row] = 1
  while (match(list, /`[^`]+`( in `[^`]+` only)?/)) {
    n = split(substr(list, RSTART, RLENGTH), names, "`")
    library[row, names[2]] = n > 3 ? row "/" names[4] : row
    list = substr(list, RSTART + RLENGTH)
  }
}

# | `folder/` | public headers, without .h |
function read_public_headers(    cells, names, n, i, row) {
  split($0, cells, "|")
  row = trim(cells[2])
  if (!(row in rows)) { print "ARCHITECTURE.md:" FNR ": " row "/ has no row above"; wrong = 1 }
  n = split(trim(cells[3]), names, /[, ]+/)
  for (i = 1; i <= n; ++i) owner["include/onepack/" names[i] ".h"] = row
}

# Headers of C, C++ and the system: free for all.
function is_of_system(header) {
  return header !~ /\.h/ || header ~ /^(sys|linux)\// || (header in system_headers)
}

function is_library_allowed(row, header,    place) {
  if (row in any) return 1
  sub(/\/.*/, "/", header)
  if (!((row, header) in library)) return 0
  place = library[row, header]
  return place == row || index(FILENAME, place ".") == 1
}

function is_allowed(row, header,    target) {
  target = header ~ /^[a-z_]+_(generated|edit)\.h$/ ? "schema" : row_of(header)
  if (target != "") return (row, target) in may
  return is_of_system(header) || is_library_allowed(row, header)
}

BEGIN {
  n = split("assert ctype dirent errno fcntl fenv float inttypes limits malloc math poll pthread sched signal spawn " \
            "stdarg stddef stdint stdio stdlib string time unistd", names, " ")
  for (i = 1; i <= n; ++i) system_headers[names[i] ".h"] = 1
}

FILENAME == "ARCHITECTURE.md" {
  if (/^## /) { in_table = /^## Folders/; in_public = /^## Public headers/ }
  if (in_table && /^\| `/) read_row()
  if (in_public && /^\| `/) read_public_headers()
  next
}

FILENAME == "tests/include_direction_debts.txt" {
  if (!/^#/ && NF == 2) debt[$1, $2] = FNR
  next
}

FNR == 1 {
  if (row_of(FILENAME) == "") { print FILENAME ":1: its folder has no row in ARCHITECTURE.md"; wrong = 1 }
}

/^[ \t]*#[ \t]*include[ \t]*["<]/ {
  row = row_of(FILENAME)
  header = $0
  sub(/^[^"<]*["<]/, "", header)
  sub(/[">].*/, "", header)
  if (row == "" || is_allowed(row, header)) next
  if ((FILENAME, header) in debt) { is_owed[FILENAME, header] = 1; next }
  print FILENAME ":" FNR ": " row "/ may not include " header
  wrong = 1
}

END {
  for (key in debt) if (!(key in is_owed)) {
    split(key, parts, SUBSEP)
    print "tests/include_direction_debts.txt:" debt[key] ": paid: " parts[1] " no longer breaks a rule with " parts[2]
    wrong = 1
  }
  exit wrong
}' ARCHITECTURE.md "$debts" $files
