#!/bin/sh
# bad_inputs_page_test.sh: every test that docs/bad_inputs.md names is there.
cd "$(dirname "$0")/../.." || exit 2
names=$(grep -oE '`[A-Za-z0-9]+\.[A-Za-z0-9]+`' docs/bad_inputs.md | tr -d '`' | sort -u)
if [ "$(echo "$names" | wc -l)" -lt 100 ]; then
  echo "docs/bad_inputs.md: fewer names than a page of this kind has"
  exit 1
fi
tests=$(find tests -name '*_test.cpp' -exec cat {} +)
missing=0
for name in $names; do
  case $tests in
    *"(${name%.*}, ${name#*.})"*) ;;
    *)
      echo "docs/bad_inputs.md: there is no test $name"
      missing=1
      ;;
  esac
done
exit $missing
