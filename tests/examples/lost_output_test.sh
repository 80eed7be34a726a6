#!/bin/bash
# lost_output_test.sh full|closed|unread CASES SHARE_FOUNDATION SWITCH_ADAPTERS DEMO: each must end with a message on
# standard error and a status when its standard output is full, closed, or a pipe without a reader; and leave no file.
set -u
output=$1 cases=$2 share=$3 switch=$4 demo=$5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work/temporary
mkdir "$TMPDIR"

# The exit status of a command with such an output.
run() {
  case $output in
    full) "$@" > /dev/full 2> "$work/err" ;;
    closed) "$@" >&- 2> "$work/err" ;;
    unread) { sleep 0.1; "$@" 2> "$work/err"; echo $? > "$work/status"; } | true; return "$(cat "$work/status")" ;;
  esac
}

failed=0
expect_failure() {
  run "$@"
  local status=$?
  # Ended by SIGPIPE, as usual.
  [[ $output == unread && $status == 141 ]] && return
  if [[ $status != 1 ]] || ! grep -q "standard output" "$work/err"; then
    echo "$1: status $status, standard error: $(cat "$work/err")"
    failed=1
  fi
}

expect_failure "$share" "$cases/lora_fp32"
expect_failure "$switch" "$cases/llm_8da4w" base a0 a1
expect_failure "$demo" --generate --megabytes 2 --repeat 1
if [[ -n $(ls -A "$TMPDIR") ]]; then
  echo "left behind: $(ls -A "$TMPDIR")"
  failed=1
fi
exit $failed
