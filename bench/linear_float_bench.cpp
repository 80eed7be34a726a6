// Linear layers of floats, in place and by XNNPACK from packed weights: see README.md.
//
// Each run goes through as many layers of one shape as are in no cache, and is counted as one
// layer. Every benchmark looks once at its result, and says so with SkipWithError when the other
// implementation has another.

#include <benchmark/benchmark.h>
#include <math.h>
#include <pthreadpool.h>
#include <string.h>
#include <xnnpack.h>

#include <utility>
#include <vector>

#include "bench/linear_shape.h"
#include "linear/linear.h"

namespace onepack::linear {
namespace {

size_t LayersOf(const LinearShape& shape) {
  return 1 + WorkingSetBytes() / (shape.outputs * shape.inputs * sizeof(float));
}

std::vector<float> Noise(size_t count) {
  std::vector<float> numbers(count);
  uint32_t state = 1;
  for (float& number : numbers) {
    state = state * 1664525 + 1013904223;
    number = static_cast<float>(state >> 8) / (1 << 24) - 0.5F;
  }
  return numbers;
}

struct Layers {
  explicit Layers(const LinearShape& of)
      : shape(of),
        values(Noise(LayersOf(shape) * shape.outputs * shape.inputs)),
        x(Noise(shape.rows * shape.inputs)),
        y(shape.rows * shape.outputs) {}

  const float* values_of(size_t layer) const {
    return values.data() + layer * shape.outputs * shape.inputs;
  }

  const LinearShape shape;
  const std::vector<float> values;
  const std::vector<float> x;
  std::vector<float> y;
};

void MultiplyInPlace(WeightType type, Layers& layers, size_t layer, pthreadpool* pool) {
  Weights weights;
  weights.type = type;
  weights.outputs = layers.shape.outputs;
  weights.inputs = layers.shape.inputs;
  weights.values = reinterpret_cast<const uint8_t*>(layers.values.data());
  const size_t size = type == WeightType::kFloat32 ? 4 : 2;
  weights.values += layer * weights.outputs * weights.inputs * size;
  MultiplyFloats(layers.x.data(), layers.shape.rows, weights, {nullptr, -INFINITY, INFINITY},
                 layers.y.data(), pool);
}

class XnnLayer {
 public:
  XnnLayer(const Layers& layers, size_t layer) {
    const LinearShape& s = layers.shape;
    xnn_create_fully_connected_nc_f32(s.inputs, s.outputs, s.inputs, s.outputs,
                                      layers.values_of(layer), nullptr, -INFINITY, INFINITY, 0,
                                      nullptr, nullptr, &op_);
  }
  ~XnnLayer() { xnn_delete_operator(op_); }
  XnnLayer(XnnLayer&& other) noexcept : op_(std::exchange(other.op_, nullptr)) {}
  XnnLayer& operator=(XnnLayer&&) = delete;

  bool Reshape(size_t rows, pthreadpool* pool) {
    return op_ != nullptr &&
           xnn_reshape_fully_connected_nc_f32(op_, rows, pool) == xnn_status_success;
  }
  bool Run(Layers& layers, pthreadpool* pool) {
    return xnn_setup_fully_connected_nc_f32(op_, layers.x.data(), layers.y.data()) ==
               xnn_status_success &&
           xnn_run_operator(op_, pool) == xnn_status_success;
  }

 private:
  xnn_operator_t op_ = nullptr;
};

bool AreClose(const std::vector<float>& a, const std::vector<float>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (!(fabsf(a[i] - b[i]) < 1e-3F)) return false;
  }
  return a.size() == b.size();
}

// `run(layer)` for each layer in turn.
template <typename Run>
void Measure(benchmark::State& state, const Layers& layers, Run run) {
  size_t layer = 0;
  for (auto _ : state) {
    run(layer);
    benchmark::DoNotOptimize(layers.y.data());
    layer = layer + 1 == LayersOf(layers.shape) ? 0 : layer + 1;
  }
  const auto products = static_cast<double>(layers.shape.outputs * layers.shape.inputs);
  state.counters["weights/s"] =
      benchmark::Counter(products, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["products/s"] =
      benchmark::Counter(products * static_cast<double>(layers.shape.rows),
                         benchmark::Counter::kIsIterationInvariantRate);
}

template <WeightType kType>
void InPlace(benchmark::State& state) {
  Layers layers(LinearShape::Of(state));
  const Pool pool = PoolOf(layers.shape);
  Measure(state, layers, [&](size_t layer) { MultiplyInPlace(kType, layers, layer, pool.get()); });
}

void Xnnpack(benchmark::State& state) {
  if (xnn_initialize(nullptr) != xnn_status_success) return state.SkipWithError("no XNNPACK");
  Layers layers(LinearShape::Of(state));
  const Pool pool = PoolOf(layers.shape);
  std::vector<XnnLayer> operators;
  for (size_t i = 0; i < LayersOf(layers.shape); ++i) {
    operators.emplace_back(layers, i);
    if (!operators[i].Reshape(layers.shape.rows, pool.get())) {
      return state.SkipWithError("XNNPACK refuses it");
    }
  }
  MultiplyInPlace(WeightType::kFloat32, layers, 0, pool.get());
  const std::vector<float> in_place = layers.y;
  if (!operators[0].Run(layers, pool.get()) || !AreClose(layers.y, in_place)) {
    return state.SkipWithError("the result is not that in place");
  }
  Measure(state, layers, [&](size_t layer) { operators[layer].Run(layers, pool.get()); });
}

// Of a language model, and of adapters to it: A has few outputs, B has few inputs.
void Shapes(benchmark::internal::Benchmark* bench) {
  LinearShape::Name(bench);
  constexpr int64_t kMatrices[][2] = {{3072, 1024}, {1024, 3072}, {8, 1024},  {16, 3072},
                                      {64, 4096},   {1024, 8},    {3072, 16}, {12288, 64}};
  for (const auto& [outputs, inputs] : kMatrices) {
    for (const int64_t rows : {1, 4, 16, 128}) {
      for (const int64_t threads : {1, 2}) bench->Args({outputs, inputs, rows, threads});
    }
  }
}
BENCHMARK(InPlace<WeightType::kFloat32>)->Apply(Shapes);
BENCHMARK(InPlace<WeightType::kFloat16>)->Apply(Shapes);
BENCHMARK(InPlace<WeightType::kBfloat16>)->Apply(Shapes);
BENCHMARK(Xnnpack)->Apply(Shapes);

}  // namespace
}  // namespace onepack::linear
