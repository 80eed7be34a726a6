#include "tests/support/graph_program.h"

#include <string.h>

#include "aot/pte_writer.h"
#include "base/small_floats.h"
#include "tests/support/sources.h"

namespace onepack {
namespace {

// Of each tensor in planned memory.
constexpr uint64_t kAlignment = 64;

GraphBorder Border(bool is_output, std::vector<int32_t> sizes, ScalarType type) {
  GraphBorder border;
  border.is_output = is_output;
  border.sizes = std::move(sizes);
  border.type = type;
  return border;
}

uint64_t SizeBytes(const GraphBorder& border) {
  uint64_t size = ElementSize(border.type);
  for (const int32_t dim : border.sizes) size *= static_cast<uint64_t>(dim);
  return size;
}

std::vector<uint8_t> DimOrder(const std::vector<uint8_t>& given, size_t rank) {
  std::vector<uint8_t> order = given;
  for (size_t i = order.size(); i < rank; ++i) order.push_back(static_cast<uint8_t>(i));
  return order;
}

Result<GraphTensor> ReadOutput(const Value& value) {
  if (!value.is(ValueKind::kTensor)) {
    return Status::Error(StatusCode::kInternal, "an output that is no tensor");
  }
  const Tensor& tensor = value.tensor();
  GraphTensor output;
  output.type = tensor.scalar_type();
  output.sizes = {tensor.sizes().begin(), tensor.sizes().end()};
  output.dim_order = {tensor.dim_order().begin(), tensor.dim_order().end()};
  output.bytes.resize(tensor.size_bytes());
  if (!output.bytes.empty()) memcpy(output.bytes.data(), tensor.data(), output.bytes.size());
  return output;
}

}  // namespace

GraphBorder Input(std::vector<int32_t> sizes, ScalarType type) {
  return Border(false, std::move(sizes), type);
}
GraphBorder Output(std::vector<int32_t> sizes, ScalarType type) {
  return Border(true, std::move(sizes), type);
}

GraphTensor Floats(std::vector<int32_t> sizes, const std::vector<float>& numbers) {
  return TensorOfNumbers(ScalarType::kFloat, std::move(sizes), numbers);
}
GraphTensor Halves(std::vector<int32_t> sizes, const std::vector<float>& numbers) {
  return TensorOfNumbers(ScalarType::kHalf, std::move(sizes), HalfBits(numbers));
}
GraphTensor Bfloats(std::vector<int32_t> sizes, const std::vector<float>& numbers) {
  return TensorOfNumbers(ScalarType::kBFloat16, std::move(sizes), BfloatBits(numbers));
}

std::vector<float> FloatsOf(const GraphTensor& tensor) {
  if (tensor.type == ScalarType::kFloat) return NumbersOf<float>(tensor);
  std::vector<float> numbers;
  for (const uint16_t bits : NumbersOf<uint16_t>(tensor)) {
    numbers.push_back(tensor.type == ScalarType::kHalf ? FloatOfFloat16(bits)
                                                       : FloatOfBfloat16(bits));
  }
  return numbers;
}

std::vector<uint16_t> HalfBits(const std::vector<float>& numbers) {
  std::vector<uint16_t> halves;
  for (const float number : numbers) halves.push_back(Float16OfFloat(number));
  return halves;
}

std::vector<uint16_t> BfloatBits(const std::vector<float>& numbers) {
  std::vector<uint16_t> bfloats;
  for (const float number : numbers) bfloats.push_back(Bfloat16OfFloat(number));
  return bfloats;
}

std::vector<float> Mixed(size_t count, uint32_t seed) {
  std::vector<float> numbers(count);
  uint32_t state = seed * 2654435761u + 12345;
  for (float& number : numbers) {
    state = state * 1664525 + 1013904223;
    number = static_cast<float>(static_cast<int32_t>(state >> 25) - 63) / 64;
  }
  return numbers;
}

namespace {

// Several threads pack for any graph what one does.
Status ComparePacking(const Ref<DataSource>& program, const std::vector<Ref<DataSource>>& data) {
  const auto alone = PackedWeightCache::Create();
  const auto together = PackedWeightCache::Create();
  LoadOptions options;
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Method> a, LoadMethod(program, data, alone, options));
  options.packing_threads = 3;
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Method> b, LoadMethod(program, data, together, options));
  const WeightCacheStats expected = alone->Stats();
  const WeightCacheStats found = together->Stats();
  if (found.entries == expected.entries && found.packed_bytes == expected.packed_bytes &&
      found.private_bytes == expected.private_bytes) {
    return Status::Ok();
  }
  return Status::Error(StatusCode::kInternal,
                       "3 threads packed %llu bytes for %zu entries, one thread %llu for %zu",
                       static_cast<unsigned long long>(found.packed_bytes), found.entries,
                       static_cast<unsigned long long>(expected.packed_bytes), expected.entries);
}

}  // namespace

Result<GraphProgram> GraphProgram::Load(PayloadWriter& payload,
                                        const std::vector<GraphBorder>& borders,
                                        const Options& options) {
  ProgramWriter program;
  MethodPlan method;
  DelegateCallPlan call;
  uint64_t end = 0;
  for (const GraphBorder& border : borders) {
    if (border.same_as >= 0) {
      call.arguments.push_back(call.arguments[static_cast<size_t>(border.same_as)]);
      continue;
    }
    TensorPlan tensor;
    tensor.scalar_type = border.type;
    tensor.sizes = border.sizes;
    if (!border.dim_order.empty()) tensor.dim_order = border.dim_order;
    tensor.is_dynamic = true;
    tensor.place = PlannedPlace{1, border.offset < 0 ? end : static_cast<uint64_t>(border.offset)};
    if (border.offset < 0) end += (SizeBytes(border) + kAlignment) / kAlignment * kAlignment;
    const auto index = static_cast<int32_t>(method.values.size());
    method.values.push_back(tensor);
    (border.is_output ? method.outputs : method.inputs).push_back(index);
    call.arguments.push_back(index);
  }
  method.buffer_sizes = {0, static_cast<int64_t>(end)};
  method.delegates = {
      DelegatePlan::InSegment("XnnpackBackend", program.AddSegment(payload.Finish()))};
  method.chains = {{call}};
  program.AddMethod(method);
  std::vector<Ref<DataSource>> data;
  if (!options.data.empty()) data.push_back(SourceOf(MakeData(options.data), "graph.ptd"));
  const Ref<DataSource> source = SourceOf(program.Finish(), "graph.pte");
  LoadOptions load_options;
  load_options.on_progress = options.on_progress;
  load_options.packing_threads = options.packing_threads;
  load_options.backend = options.backend;
  ONEPACK_ASSIGN_OR_RETURN(Ref<Method> loaded,
                           LoadMethod(source, data, options.cache, load_options));
  ONEPACK_RETURN_IF_ERROR(ComparePacking(source, data));
  return GraphProgram(std::move(loaded));
}

Result<std::vector<GraphTensor>> GraphProgram::Run(const std::vector<GraphTensor>& inputs) const {
  for (size_t i = 0; i < inputs.size(); ++i) {
    const GraphTensor& input = inputs[i];
    const std::vector<uint8_t> order = DimOrder(input.dim_order, input.sizes.size());
    auto* bytes = const_cast<uint8_t*>(input.bytes.data());  // only read
    ONEPACK_ASSIGN_OR_RETURN(
        Tensor tensor, Tensor::Over({input.type, input.sizes, order}, {bytes, input.bytes.size()}));
    ONEPACK_RETURN_IF_ERROR(method_->SetInput(i, Value::OfTensor(&tensor)));
  }
  ONEPACK_RETURN_IF_ERROR(method_->Execute());
  std::vector<GraphTensor> outputs;
  for (size_t i = 0; i < method_->output_count(); ++i) {
    ONEPACK_ASSIGN_OR_RETURN(GraphTensor output, ReadOutput(method_->output(i)));
    outputs.push_back(std::move(output));
  }
  return outputs;
}

}  // namespace onepack
