// Linear layers over weights as they lie in files, beside XNNPACK's fully connected over packed
// ones and beside a loop that only reads the bytes: see README.md.
//
// Weights come from memory: every run takes the next of as many matrices as fill WorkingSetBytes.
// Rates are of bytes of weights and scales, and of multiply-accumulates.
//
// ONEPACK_LINEAR_TARGET chooses the instruction set of the linear layers (AVX2, AVX3_DL, ...);
// XNNPACK takes the best that the processor has.

#include <benchmark/benchmark.h>
#include <hwy/highway.h>
#include <math.h>
#include <pthreadpool.h>
#include <stdlib.h>
#include <string.h>

#include <memory>
#include <string>
#include <vector>

#include "bench/linear_shape.h"
#include "delegate/xnn/xnnpack.h"
#include "linear/linear.h"

namespace onepack {
namespace {

constexpr size_t kBlockSize = 32;

uint32_t Random() {
  static uint64_t state = 1;
  state = state * 6364136223846793005u + 1442695040888963407u;
  return static_cast<uint32_t>(state >> 32);
}

std::vector<float> RandomFloats(size_t count) {
  std::vector<float> floats(count);
  for (float& f : floats) f = static_cast<float>(Random() % 2001) / 1000.0F - 0.9F;
  return floats;
}

// One matrix's values and scales, or a float matrix's values.
struct Matrix {
  std::vector<uint8_t> values;
  std::vector<uint16_t> scales;
  std::vector<float> sums;

  size_t bytes() const { return values.size() + 2 * scales.size(); }
  linear::Weights Weights(const LinearShape& shape) const {
    return {linear::WeightType::kInt4Blocks,
            shape.outputs,
            shape.inputs,
            kBlockSize,
            values.data(),
            reinterpret_cast<const uint8_t*>(scales.data())};
  }
};

std::vector<Matrix> MatricesOf(const LinearShape& shape) {
  const size_t bytes = shape.outputs * shape.inputs / 2;
  std::vector<Matrix> matrices(WorkingSetBytes() / bytes + 1);
  for (Matrix& matrix : matrices) {
    matrix.values.resize(bytes);
    for (size_t i = 0; i + 4 <= bytes; i += 4) {
      const uint32_t four = Random();
      memcpy(&matrix.values[i], &four, 4);
    }
    matrix.scales.resize(shape.outputs * shape.inputs / kBlockSize);
    for (uint16_t& scale : matrix.scales) scale = static_cast<uint16_t>(0x3C00 + Random() % 128);
    matrix.sums.resize(shape.outputs);
    linear::WeightSums(matrix.Weights(shape), 0, shape.outputs, matrix.sums.data());
  }
  return matrices;
}

void SetRates(benchmark::State& state, const LinearShape& shape, size_t bytes) {
  using benchmark::Counter;
  const auto runs = static_cast<double>(state.iterations());
  const double products = static_cast<double>(shape.outputs * shape.inputs * shape.rows);
  state.counters["GB/s"] = Counter(runs * static_cast<double>(bytes) / 1e9, Counter::kIsRate);
  state.counters["GMAC/s"] = Counter(runs * products / 1e9, Counter::kIsRate);
}

void InPlace(benchmark::State& state) {
  const LinearShape shape = LinearShape::Of(state);
  const std::vector<Matrix> matrices = MatricesOf(shape);
  const Pool pool = PoolOf(shape);
  const std::vector<float> x = RandomFloats(shape.rows * shape.inputs);
  std::vector<float> y(shape.rows * shape.outputs);
  const linear::ActivationForm form = linear::FormFor(matrices[0].Weights(shape));
  const size_t bytes = linear::QuantizedBytes(form, shape.rows);
  std::vector<uint8_t> memory(bytes + linear::kFormAlignment);
  uint8_t* quantized = memory.data() + (-reinterpret_cast<uintptr_t>(memory.data()) % 64);
  size_t next = 0;
  for (auto _ : state) {
    const Matrix& matrix = matrices[next++ % matrices.size()];
    linear::Quantize(form, x.data(), shape.rows, quantized, pool.get());
    linear::MultiplyQuantized(quantized, shape.rows, matrix.Weights(shape), matrix.sums.data(),
                              {nullptr, -INFINITY, INFINITY}, y.data(), pool.get());
    benchmark::DoNotOptimize(y.data());
  }
  SetRates(state, shape, matrices[0].bytes());
}

using Operator = std::unique_ptr<xnn_operator, decltype(&xnn_delete_operator)>;

Operator ConnectedOf(const LinearShape& shape, const Matrix& matrix) {
  xnn_operator_t made = nullptr;
  xnn_create_fully_connected_nc_qd8_f32_qb4w(
      shape.inputs, shape.outputs, shape.inputs, shape.outputs, kBlockSize, 8, matrix.scales.data(),
      matrix.values.data(), nullptr, -INFINITY, INFINITY, 0, nullptr, nullptr, &made);
  return {made, &xnn_delete_operator};
}

void Xnnpack(benchmark::State& state) {
  const LinearShape shape = LinearShape::Of(state);
  xnn_initialize(nullptr);
  const Pool pool = PoolOf(shape);
  std::vector<Operator> connected;
  size_t bytes = 0;
  for (const Matrix& matrix : MatricesOf(shape)) {
    bytes = matrix.bytes();
    connected.push_back(ConnectedOf(shape, matrix));
    if (connected.back() == nullptr) return state.SkipWithError("no fully connected operator");
    xnn_reshape_fully_connected_nc_qd8_f32_qb4w(connected.back().get(), shape.rows, pool.get());
  }
  xnn_operator_t made = nullptr;
  xnn_create_convert_nc_f32_qd8(0, &made);
  const Operator convert = {made, &xnn_delete_operator};
  xnn_reshape_convert_nc_f32_qd8(made, shape.rows, shape.inputs, shape.inputs, shape.inputs,
                                 pool.get());
  const std::vector<float> x = RandomFloats(shape.rows * shape.inputs);
  std::vector<float> y(shape.rows * shape.outputs);
  std::vector<int8_t> q(shape.rows * shape.inputs + XNN_EXTRA_BYTES);
  std::vector<xnn_quantization_params> params(shape.rows + XNN_EXTRA_QUANTIZATION_PARAMS);
  size_t next = 0;
  for (auto _ : state) {
    xnn_setup_convert_nc_f32_qd8(made, x.data(), q.data(), params.data());
    xnn_run_operator(made, pool.get());
    const xnn_operator_t product = connected[next++ % connected.size()].get();
    xnn_setup_fully_connected_nc_qd8_f32_qb4w(product, q.data(), y.data(), params.data());
    xnn_run_operator(product, pool.get());
    benchmark::DoNotOptimize(y.data());
  }
  SetRates(state, shape, bytes);
}

// What memory gives: the words of every matrix, added.
struct Reading {
  const uint64_t* words;

  static void Run(void* context, size_t first, size_t count) {
    const uint64_t* from = static_cast<Reading*>(context)->words + first;
    uint64_t sum[16] = {};
    for (size_t i = 0; i + 16 <= count; i += 16) {
      for (size_t k = 0; k < 16; ++k) sum[k] += from[i + k];
    }
    for (uint64_t& s : sum) benchmark::DoNotOptimize(s);
  }
};

void ReadOnly(benchmark::State& state) {
  LinearShape shape = LinearShape::Of(state);
  const std::vector<Matrix> matrices = MatricesOf(shape);
  const Pool pool = PoolOf(shape);
  size_t next = 0;
  for (auto _ : state) {
    const Matrix& matrix = matrices[next++ % matrices.size()];
    Reading reading = {reinterpret_cast<const uint64_t*>(matrix.values.data())};
    const size_t words = matrix.values.size() / sizeof(uint64_t);
    pthreadpool_parallelize_1d_tile_1d(pool.get(), &Reading::Run, &reading, words,
                                       words / shape.threads / 4, 0);
  }
  shape.rows = 0;
  SetRates(state, shape, matrices[0].values.size());
}

void LanguageModelShapes(benchmark::internal::Benchmark* benchmark) {
  LinearShape::Name(benchmark);
  for (const int64_t threads : {1, 2}) {
    for (const int64_t rows : {1, 4, 8, 16, 128}) {
      benchmark->Args({1024, 1024, rows, threads});
      benchmark->Args({3072, 1024, rows, threads});
      benchmark->Args({1024, 3072, rows, threads});
      if (rows <= 4) benchmark->Args({151936, 1024, rows, threads});
    }
  }
}

void MatrixShapes(benchmark::internal::Benchmark* benchmark) {
  LinearShape::Name(benchmark);
  for (const int64_t threads : {1, 2}) benchmark->Args({3072, 1024, 1, threads});
}

BENCHMARK(ReadOnly)->Apply(MatrixShapes);
BENCHMARK(InPlace)->Apply(LanguageModelShapes);
BENCHMARK(Xnnpack)->Apply(LanguageModelShapes);

// Before the first benchmark.
const bool g_target_is_chosen = [] {
  const char* name = getenv("ONEPACK_LINEAR_TARGET");
  if (name == nullptr) return false;
  for (int64_t targets = hwy::SupportedTargets() & HWY_TARGETS; targets != 0;
       targets &= targets - 1) {
    const int64_t target = targets & -targets;
    if (strcmp(hwy::TargetName(target), name) == 0) {
      hwy::SetSupportedTargetsForTest(target);
      return true;
    }
  }
  abort();
}();

}  // namespace
}  // namespace onepack
