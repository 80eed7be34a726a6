#include "tests/support/delegate_fixture.h"

#include <gtest/gtest.h>
#include <math.h>
#include <string.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <stdexcept>

#include "aot/ptd_writer.h"
#include "aot/pte_writer.h"
#include "base/small_floats.h"
#include "tests/support/files.h"

namespace onepack {
namespace {

// Powers of two, so that they are the same in bfloat16 and in float.
constexpr float kScales[] = {0.015625f, 0.03125f, 0.0078125f};
constexpr int kInt4Zero = 8;

std::string ScaleKey(const LinearLayer& layer) { return layer.key + ".scale"; }

// A number of 32 bits that depends on `seed` and `index`.
uint32_t Scramble(uint64_t seed, uint64_t index) {
  uint64_t x = seed * 0x9e3779b97f4a7c15u + index + 1;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return static_cast<uint32_t>(x >> 32);
}

size_t WeightSizeBytes(const LinearLayer& layer) {
  const size_t elements = size_t{layer.inputs} * layer.outputs;
  if (layer.kind == WeightKind::kFloat) return elements * sizeof(float);
  return layer.kind == WeightKind::kInt8 ? elements : elements / 2;
}

uint32_t ScaleCount(const LinearLayer& layer) {
  return layer.kind == WeightKind::kInt8 ? layer.outputs
                                         : layer.outputs * (layer.inputs / kInt4Group);
}

float ScaleAt(const LinearLayer& layer, size_t index) {
  return kScales[(layer.seed + index) % std::size(kScales)];
}

// The stored integer, or for f32 a number in ±1/16 as an integer of 1/1024.
int StoredAt(const LinearLayer& layer, size_t index) {
  const uint32_t number = Scramble(layer.seed, index);
  switch (layer.kind) {
    case WeightKind::kFloat:
      return static_cast<int>(number % 129) - 64;
    case WeightKind::kInt8:
      return static_cast<int>(number % 255) - 127;
    case WeightKind::kInt4:
      return static_cast<int>(number % 16);
  }
  return 0;
}

float WeightAt(const LinearLayer& layer, uint32_t output, uint32_t input) {
  const size_t index = size_t{output} * layer.inputs + input;
  const int stored = StoredAt(layer, index);
  if (layer.kind == WeightKind::kFloat) return static_cast<float>(stored) / 1024;
  if (layer.kind == WeightKind::kInt8) return static_cast<float>(stored) * ScaleAt(layer, output);
  return static_cast<float>(stored - kInt4Zero) * ScaleAt(layer, index / kInt4Group);
}

template <typename T>
std::vector<uint8_t> ToBytes(const std::vector<T>& numbers) {
  const Bytes bytes = AsBytes(numbers);
  return {bytes.begin(), bytes.end()};
}

std::vector<uint8_t> FloatWeight(const LinearLayer& layer) {
  std::vector<float> numbers;
  for (uint32_t output = 0; output < layer.outputs; ++output) {
    for (uint32_t input = 0; input < layer.inputs; ++input) {
      numbers.push_back(WeightAt(layer, output, input));
    }
  }
  return ToBytes(numbers);
}

std::vector<uint8_t> QuantizedWeight(const LinearLayer& layer) {
  std::vector<uint8_t> bytes(WeightSizeBytes(layer));
  for (size_t i = 0; i < bytes.size(); ++i) {
    const int stored = layer.kind == WeightKind::kInt8
                           ? StoredAt(layer, i)
                           : StoredAt(layer, 2 * i) | StoredAt(layer, 2 * i + 1) << 4;
    bytes[i] = static_cast<uint8_t>(stored);
  }
  return bytes;
}

std::vector<uint8_t> ScaleBytes(const LinearLayer& layer) {
  std::vector<float> scales;
  for (uint32_t i = 0; i < ScaleCount(layer); ++i) scales.push_back(ScaleAt(layer, i));
  if (layer.kind == WeightKind::kInt8) return ToBytes(scales);
  std::vector<uint16_t> bfloats;
  for (const float scale : scales) bfloats.push_back(Bfloat16OfFloat(scale));
  return ToBytes(bfloats);
}

// A graph from [rows, inputs of the first] to [rows, outputs of the last].
std::vector<uint8_t> MakePayload(const std::vector<LinearLayer>& layers, uint32_t rows) {
  PayloadWriter payload;
  uint32_t x = payload.AddInput({rows, layers.front().inputs});
  for (size_t i = 0; i < layers.size(); ++i) {
    const std::vector<uint32_t> dims = {rows, layers[i].outputs};
    const uint32_t y = i + 1 == layers.size() ? payload.AddOutput(dims) : payload.AddInternal(dims);
    AddLinearLayer(payload, layers[i], rows, x, y);
    x = y;
  }
  return payload.Finish();
}

// A method of delegates that run one after another; `widths` of the tensors between them.
std::vector<uint8_t> MakeProgram(const std::vector<std::vector<uint8_t>>& payloads,
                                 const std::vector<uint32_t>& widths, uint32_t max_rows) {
  ProgramWriter program;
  MethodPlan method;
  uint64_t offset = 0;
  for (const uint32_t width : widths) {
    TensorPlan tensor;
    tensor.sizes = {static_cast<int32_t>(max_rows), static_cast<int32_t>(width)};
    tensor.is_dynamic = true;
    tensor.place = PlannedPlace{1, offset};
    method.values.push_back(tensor);
    offset += (uint64_t{max_rows} * width * sizeof(float) + 63) / 64 * 64;
  }
  method.buffer_sizes = {0, static_cast<int64_t>(offset)};
  method.inputs = {0};
  method.outputs = {static_cast<int32_t>(widths.size()) - 1};
  std::vector<InstructionPlan> chain;
  for (size_t i = 0; i < payloads.size(); ++i) {
    const auto index = static_cast<int32_t>(i);
    method.delegates.push_back(
        DelegatePlan::InSegment("XnnpackBackend", program.AddSegment(payloads[i])));
    chain.push_back(DelegateCallPlan{index, {index, index + 1}});
  }
  method.chains = {chain};
  program.AddMethod(method);
  return program.Finish();
}

template <typename T>
T OrThrow(Result<T> result) {
  if (!result.ok()) throw std::runtime_error(result.status().message());
  return std::move(result).value();
}

}  // namespace

void AddLinearLayer(PayloadWriter& payload, const LinearLayer& layer, uint32_t rows, uint32_t input,
                    uint32_t output) {
  const std::vector<uint32_t> dims = {layer.outputs, layer.inputs};
  const uint32_t weight = payload.AddNamedConstant(layer.key, WeightSizeBytes(layer));
  if (layer.kind == WeightKind::kFloat) {
    payload.AddFullyConnected(input, payload.AddConstant(dims, weight), output);
    return;
  }
  PayloadScales scales;
  scales.count = ScaleCount(layer);
  const size_t scale_size = layer.kind == WeightKind::kInt8 ? sizeof(float) : sizeof(uint16_t);
  scales.constant = payload.AddNamedConstant(ScaleKey(layer), scales.count * scale_size);
  const uint32_t filter = layer.kind == WeightKind::kInt8
                              ? payload.AddPerChannelInt8(dims, weight, scales)
                              : payload.AddBlockwiseInt4(dims, weight, scales, kInt4Group);
  const uint32_t rounded = payload.AddDynamicInt8({rows, layer.inputs});
  payload.AddConvert(input, rounded);
  payload.AddFullyConnected(rounded, filter, output);
}

std::vector<uint8_t> MakeLinearPayload(const LinearProgram& program) {
  return MakePayload(program.layers, program.max_rows);
}

std::vector<uint8_t> MakeLinearProgram(const LinearProgram& program) {
  const std::vector<LinearLayer>& layers = program.layers;
  if (!program.delegate_per_layer) {
    return MakeProgram({MakeLinearPayload(program)}, {layers.front().inputs, layers.back().outputs},
                       program.max_rows);
  }
  std::vector<std::vector<uint8_t>> payloads;
  std::vector<uint32_t> widths = {layers.front().inputs};
  for (const LinearLayer& layer : layers) {
    payloads.push_back(MakePayload({layer}, program.max_rows));
    widths.push_back(layer.outputs);
  }
  return MakeProgram(payloads, widths, program.max_rows);
}

std::vector<uint8_t> MakeProgramAround(Bytes payload, uint32_t max_rows, uint32_t inputs,
                                       uint32_t outputs) {
  return MakeProgram({{payload.begin(), payload.end()}}, {inputs, outputs}, max_rows);
}

NamedBytes DataOf(const LinearLayer& layer) {
  if (layer.kind == WeightKind::kFloat) return {{layer.key, FloatWeight(layer)}};
  return {{layer.key, QuantizedWeight(layer)}, {ScaleKey(layer), ScaleBytes(layer)}};
}

NamedBytes DataOf(const std::vector<LinearLayer>& layers) {
  NamedBytes all;
  for (const LinearLayer& layer : layers) all.merge(DataOf(layer));
  return all;
}

std::vector<uint8_t> MakeData(const NamedBytes& data) {
  PtdWriter writer;
  for (const auto& [key, bytes] : data) writer.AddBytes(key, bytes);
  return OrThrow(writer.ToBytes());
}

Result<Ref<Method>> LoadMethod(const Ref<DataSource>& program,
                               const std::vector<Ref<DataSource>>& data,
                               const std::shared_ptr<PackedWeightCache>& cache,
                               const LoadOptions& options) {
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Program> opened, Program::Open(program, options.allocator));
  MethodOptions method_options;
  method_options.allocator = options.allocator;
  std::vector<Ref<NamedDataMap>> maps;
  for (const Ref<DataSource>& source : data) {
    ONEPACK_ASSIGN_OR_RETURN(Ref<NamedDataMap> map, NamedDataMap::Open(source, options.allocator));
    maps.push_back(std::move(map));
  }
  ONEPACK_ASSIGN_OR_RETURN(method_options.named_data, NamedDataMap::Merge(maps, options.allocator));
  XnnpackBackendOptions backend_options;
  backend_options.weight_cache = cache;
  backend_options.threadpool = options.threadpool;
  backend_options.on_progress = options.on_progress;
  backend_options.packing_threads = options.packing_threads;
  backend_options.min_bytes_per_packing_thread = 1;
  backend_options.linears = options.linears;
  Ref<Backend> backend = options.backend;
  if (!backend) {
    ONEPACK_ASSIGN_OR_RETURN(backend, CreateXnnpackBackend(backend_options));
  }
  method_options.backends = {&backend, 1};
  return Method::Load(opened, "forward", method_options);
}

std::vector<float> MakeRows(uint32_t count, uint32_t width) {
  std::vector<float> rows(size_t{count} * width);
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i] = static_cast<float>(static_cast<int>(Scramble(12345, i) % 201) - 100) / 100;
  }
  return rows;
}

Result<std::vector<float>> RunLinear(Method& method, const std::vector<float>& rows,
                                     uint32_t width) {
  const int32_t sizes[] = {static_cast<int32_t>(rows.size() / width), static_cast<int32_t>(width)};
  const uint8_t order[] = {0, 1};
  auto* data = reinterpret_cast<uint8_t*>(const_cast<float*>(rows.data()));  // only read
  ONEPACK_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Over({ScalarType::kFloat, sizes, order},
                                                       {data, rows.size() * sizeof(float)}));
  ONEPACK_RETURN_IF_ERROR(method.SetInput(0, Value::OfTensor(&tensor)));
  ONEPACK_RETURN_IF_ERROR(method.Execute());
  const Tensor& output = method.output(0).tensor();
  std::vector<float> numbers(output.size_bytes() / sizeof(float));
  if (!numbers.empty()) memcpy(numbers.data(), output.data(), output.size_bytes());
  return numbers;
}

std::vector<float> ReferenceChain(const std::vector<LinearLayer>& layers, std::vector<float> rows) {
  for (const LinearLayer& layer : layers) {
    std::vector<float> next;
    for (size_t row = 0; row < rows.size(); row += layer.inputs) {
      for (uint32_t output = 0; output < layer.outputs; ++output) {
        double sum = 0;
        for (uint32_t input = 0; input < layer.inputs; ++input) {
          sum += double{rows[row + input]} * double{WeightAt(layer, output, input)};
        }
        next.push_back(static_cast<float>(sum));
      }
    }
    rows = std::move(next);
  }
  return rows;
}

void ExpectNothingIn(const PackedWeightCache& cache) {
  const WeightCacheStats stats = cache.Stats();
  EXPECT_EQ(stats.entries, 0u);
  EXPECT_EQ(stats.pins, 0u);
  EXPECT_EQ(stats.bytes, 0u);
  EXPECT_EQ(stats.in_place_bytes, 0u);
  EXPECT_EQ(stats.copied_bytes, 0u);
  EXPECT_EQ(stats.retained_bytes, 0u);
  EXPECT_EQ(stats.heap_bytes, 0u);
}

float LargestDifference(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return std::numeric_limits<float>::infinity();
  float largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const float difference = std::fabs(a[i] - b[i]);
    if (!(difference <= largest)) largest = difference;  // also a NaN, for good
  }
  return largest;
}

}  // namespace onepack
