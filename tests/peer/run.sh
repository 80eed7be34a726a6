#!/usr/bin/env bash
# ExecuTorch reads and runs what onepack writes: run.sh ONEPACK EXECUTORCH_RUNS CASES
set -euo pipefail
onepack=$1 runs=$2 cases=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Stacks of every kind of weight in every place, as written, and split.
for weights in f32 8da8w 8da4w; do
  for data in files program payload; do
    folder=$work/${weights}_$data
    "$onepack" make-model stack "$folder" --width 64 --hidden 128 --weights "$weights" --data "$data" >/dev/null
    "$runs" "$folder"/*.json
    [ "$data" != files ] || continue
    mkdir "$folder/split"
    "$onepack" split "$folder"/*.pte --foundation "$folder/split/foundation.ptd" --adapters >/dev/null
    cp "$work/${weights}_files"/*.json "$work/${weights}_files"/*.bin "$folder/split"
    "$runs" "$folder/split"/*.json
  done
done

# Recorded programs, written again by merging and by splitting.
for family in lora_fp32 lora_8da4w lora_8da8w; do
  mkdir -p "$work/$family/merged" "$work/$family/split"
  for program in base lora0 lora1; do
    data=$cases/$family/foundation.ptd
    if [ "$program" != base ]; then data=$data,$cases/$family/$program.ptd; fi
    "$onepack" merge "$cases/$family/$program.pte" --data "$data" --output "$work/$family/merged/$program.pte" >/dev/null
    cp "$cases/$family/$program.bin" "$work/$family/merged"
    sed -e 's/"[a-z0-9]*\.ptd",\{0,1\}//' "$cases/$family/$program.json" >"$work/$family/merged/$program.json"
  done
  "$onepack" split "$work/$family/merged"/*.pte --foundation "$work/$family/split/foundation.ptd" --adapters >/dev/null
  cp "$cases/$family"/*.json "$cases/$family"/*.bin "$work/$family/split"
  "$runs" "$work/$family/merged"/*.json "$work/$family/split"/*.json
done

# Language models are loaded: the wheel lacks two of their operators.
"$onepack" make-model llm "$work/llm" >/dev/null
"$runs" --load "$work/llm/lora0.pte" "$work/llm/foundation.ptd" "$work/llm/lora0.ptd"
