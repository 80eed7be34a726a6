#!/usr/bin/env bash
# Compares onepack with ExecuTorch on models that it makes, and writes docs/benchmarks*.{md,svg} and bench/results/.
# About four minutes for each run once it is built; the machine should do nothing else.
# With --engines instead with llama.cpp, ONNX Runtime GenAI and ExecuTorch on a whole language model, and writes
# docs/engines*.{md,svg} and bench/results/engines_*.json of this kind of processor: about 6 minutes for each run.
# With --scaling instead how cost grows: docs/scaling*.{md,svg}.
#
#     bash scripts/bench.sh [--engines | --scaling] [--runs N]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  echo 'usage: bench.sh [--engines | --scaling] [--runs N]' >&2
  exit 2
}

what=executorch runs=''
while [ $# -gt 0 ]; do
  case "$1" in
    --engines | --scaling)
      [ "$what" = executorch ] || usage
      what=${1#--}
      ;;
    --runs)
      [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || usage
      runs=$2
      shift
      ;;
    *) usage ;;
  esac
  shift
done
models=build/bench/models
onepack=build/release/tools/onepack

measure_scaling() {
  cmake --preset release
  cmake --build --preset release --target peer_onepack onepack_cli
  python3 -m bench.scaling.measure build/release build/bench/scaling --rounds "${runs:-3}"
  python3 -m bench.scaling.report
  echo "bench: wrote docs/scaling.md"
}

compare_engines() {
  bash scripts/setup.sh --engines
  cmake --preset release
  cmake --build --preset release --target peer_onepack peer_executorch peer_llama peer_genai onepack_cli
  mkdir -p build/engines/models
  export PYTHONPATH=bench/peer
  build/engines/python/bin/python -m engines.make_models build/engines/models --onepack "$PWD/$onepack"
  python3 -m engines measure --peers build/release/bench/peer --models build/engines/models --turns "${runs:-3}"
  python3 -m engines page
  echo "bench: wrote docs/engines.md"
}

case "$what" in
  engines)
    compare_engines
    exit
    ;;
  scaling)
    measure_scaling
    exit
    ;;
esac

bash scripts/setup.sh --peer
cmake --preset release
cmake --build --preset release --target peer_onepack peer_executorch onepack_cli
cmake --preset executorch-backend
cmake --build --preset executorch-backend

# make KIND NAME OPTIONS...: unless it is there, from this version of the options.
make_model() {
  local kind=$1 name=$2
  shift 2
  if [ "$(cat "$models/$name/options" 2>/dev/null)" = "$kind $*" ]; then return; fi
  "$onepack" make-model "$kind" "$models/$name" "$@" --replace
  printf '%s' "$kind $*" >"$models/$name/options"
}
make_model stack stack --width 1024 --hidden 4096 --blocks 6 --rank 16 --adapters 8 --rows 128
make_model stack stack_8da4w --width 1024 --hidden 4096 --blocks 6 --rank 16 --adapters 2 --rows 128 --weights 8da4w
make_model stack tiny --width 64 --hidden 128 --blocks 2 --rank 4 --adapters 1 --rows 8
make_model stack small --width 256 --hidden 512 --blocks 4 --rank 4 --adapters 2 --rows 128
make_model llm llm --preset Qwen3-0.6B --layers 4 --weights 8da4w --int8-embedding --untied --context 512 --chunk 256 \
  --rank 16 --adapters 8
mkdir -p docs
python3 bench/peer/compare.py --peers build/release/bench/peer \
  --inside "$PWD/build/executorch-backend/integrations/executorch" --models "$models" --runs "${runs:-7}" \
  --results bench/results --docs docs
echo "bench: wrote docs/benchmarks.md"
