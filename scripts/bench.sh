#!/usr/bin/env bash
# Compares onepack with ExecuTorch on models that it makes, and writes docs/benchmarks.md and bench/results/.
# About ten minutes; the machine should do nothing else.
#
#     bash scripts/bench.sh [--runs N]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

runs=7
if [ "${1:-}" = --runs ]; then runs=${2:?how many?}; fi
models=build/bench/models
peers=build/release/bench/peer

bash scripts/setup.sh --peer
cmake --preset release
cmake --build --preset release --target peer_onepack peer_executorch onepack_cli
onepack=build/release/tools/onepack
"$onepack" make-model stack "$models/stack_300mb" --width 1024 --hidden 4096 --blocks 6 --rank 16 --adapters 8 --rows 128
"$onepack" make-model stack "$models/stack_6mb" --width 256 --hidden 512 --blocks 4 --rank 4 --adapters 2 --rows 128
mkdir -p docs
python3 bench/peer/compare.py --peers "$peers" --models "$models" --runs "$runs" --results bench/results --docs docs
echo "bench: wrote docs/benchmarks.md"
