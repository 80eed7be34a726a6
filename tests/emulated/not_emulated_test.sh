#!/bin/sh
# not_emulated_test.sh: every test that not_emulated.txt names is there, and has a reason.
cd "$(dirname "$0")/.." || exit 2
tests=$(find . -name '*_test.cpp' -exec cat {} +)
bad=0
lines=0
while read -r name reason; do
  case $name in '' | '#'*) continue ;; esac
  lines=$((lines + 1))
  plain=${name#*/}            # not the prefix of a suite with parameters
  plain=${plain%%/*}          # nor which parameter
  case $name in */*/*) ;; */*) plain=${name%%/*} ;; esac
  case $tests in
    *"(${plain%.*}, ${plain#*.})"*) ;;
    *)
      echo "not_emulated.txt: there is no test $name"
      bad=1
      ;;
  esac
  if [ -z "$reason" ]; then
    echo "not_emulated.txt: $name has no reason"
    bad=1
  fi
done <emulated/not_emulated.txt
[ "$lines" -gt 0 ] || { echo "not_emulated.txt names no test"; bad=1; }
exit $bad
