#!/bin/bash
# Where the time of a decode step goes, on one thread: shares of perf's samples.
#
#   onepack make-model llm DIR --preset Qwen3-0.6B --weights 8da4w --int8-embedding --rank 4
#   bash bench/decode_profile.sh build/release/tools/onepack DIR 150 100
#
# profiles 100 tokens after a prompt of 150. Loading, the prompt and the end of the process are left out: the samples
# that count are as many seconds as the command says that decoding took, up to the last one in attention.
set -euo pipefail
if [[ $# != 4 ]]; then
  sed -n '2,8s/^# \{0,1\}//p' "$0"
  exit 1
fi
onepack=$1 model=$2 prompt=$3 tokens=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

perf record --quiet --freq 1999 --output "$work/samples" "$onepack" generate --program "$model/base.pte" \
  --data "$model/foundation.ptd" --tokens "$(seq --separator=, 1 "$prompt")" --max-new-tokens "$tokens" \
  --ignore-eos > "$work/log"
grep decode "$work/log"
seconds=$(awk '$1 == "decode" { print $3 == "ms" ? $2 / 1000 : $2 }' "$work/log")

perf script --input "$work/samples" --fields time,ip,sym,dso 2> /dev/null | awk -v seconds="$seconds" '
  { time[NR] = $1 + 0 }
  /DotProducts|AddWeightedRows|Exponentials|(Avx|Portable)Maximum|kernels::\(anonymous namespace\)::RunTask / {
    part[NR] = "attention"; last = time[NR]; next
  }
  /onepack::linear::/    { part[NR] = "linears"; next }
  /libXNNPACK/           { part[NR] = "XNNPACK"; next }
  /Sampler::/            { part[NR] = "sampler"; next }
  /\(\[kernel/           { part[NR] = "kernel"; next }
                         { part[NR] = "all the rest" }
  END {
    for (i = 1; i <= NR; ++i) {
      if (time[i] > last || time[i] < last - seconds) continue
      ++count[part[i]]
      ++all
    }
    for (name in count) printf "%-13s %5.1f %%\n", name, 100 * count[name] / all
  }' | sort
