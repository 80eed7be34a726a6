#include "tests/llm/sum_model.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "tests/support/sources.h"

namespace onepack {
namespace {

Span<const int64_t> Ints(const Tensor& tensor) {
  return {reinterpret_cast<const int64_t*>(tensor.data()), tensor.size_bytes() / sizeof(int64_t)};
}

float* Floats(const Tensor& tensor) { return reinterpret_cast<float*>(tensor.mutable_data()); }

Status CheckPositions(Span<const int64_t> positions, size_t tokens, size_t room) {
  for (size_t i = 0; i < positions.size(); ++i) {
    if (positions[i] != positions[0] + static_cast<int64_t>(i)) {
      return Status::Error(StatusCode::kInvalidArgument, "positions that do not follow");
    }
  }
  if (positions[0] >= 0 && static_cast<size_t>(positions[0]) + tokens <= room) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument, "position %lld past the cache of %zu",
                       static_cast<long long>(positions[0]), room);
}

// test::sum.out(tokens, positions or None, cache or None, logits)
Status Sum(void* /*context*/, Span<Value* const> arguments) {
  const Span<const int64_t> tokens = Ints(arguments[0]->tensor());
  std::vector<float> read;
  if (arguments[1]->is(ValueKind::kTensor)) {
    const Span<const int64_t> positions = Ints(arguments[1]->tensor());
    const Tensor& cache = arguments[2]->tensor();
    const size_t room = cache.size_bytes() / sizeof(float);
    ONEPACK_RETURN_IF_ERROR(CheckPositions(positions, tokens.size(), room));
    read.assign(Floats(cache), Floats(cache) + positions[0]);
  }
  for (const int64_t token : tokens) read.push_back(static_cast<float>(token));
  if (arguments[2]->is(ValueKind::kTensor)) {
    std::copy(read.begin(), read.end(), Floats(arguments[2]->tensor()));
  }

  Tensor& logits = arguments[3]->tensor();
  const auto rows = logits.rank() == 3 ? static_cast<int32_t>(tokens.size()) : 1;
  const std::vector<int32_t> sizes = logits.rank() == 3
                                         ? std::vector<int32_t>{1, rows, kSumVocabulary}
                                         : std::vector<int32_t>{1, kSumVocabulary};
  ONEPACK_RETURN_IF_ERROR(logits.Resize(sizes));
  std::fill_n(Floats(logits), rows * kSumVocabulary, -1.0f);
  float sum = 0;
  for (const float token : read) sum += token;
  const auto next = static_cast<int64_t>(sum) % kSumVocabulary;
  Floats(logits)[(rows - 1) * kSumVocabulary + next] = 1.0f;
  return Status::Ok();
}

TensorPlan Planned(ScalarType type, std::vector<int32_t> sizes, bool is_dynamic) {
  TensorPlan tensor;
  tensor.scalar_type = type;
  tensor.sizes = std::move(sizes);
  tensor.is_dynamic = is_dynamic;
  return tensor;
}

MethodPlan Forward(const SumModelOptions& options) {
  MethodPlan plan;
  const int32_t chunk = options.max_chunk;
  const int32_t positions = options.all_positions ? chunk : 1;
  const auto vocabulary = static_cast<int32_t>(kSumVocabulary);
  plan.values = {Planned(ScalarType::kLong, {1, chunk}, options.is_dynamic), std::monostate(),
                 std::monostate(),
                 options.all_logits
                     ? Planned(ScalarType::kFloat, {1, chunk, vocabulary}, options.is_dynamic)
                     : Planned(ScalarType::kFloat, {1, vocabulary}, false)};
  plan.inputs = {0};
  if (options.has_cache) {
    plan.values[1] = Planned(ScalarType::kLong, {positions}, options.all_positions);
    plan.values[2] = Planned(ScalarType::kFloat, {16}, false);
    plan.inputs = {0, 1};
  }
  // Each tensor in a planned buffer of its own.
  for (ValuePlan& value : plan.values) {
    auto* tensor = std::get_if<TensorPlan>(&value);
    if (tensor == nullptr) continue;
    tensor->place = PlannedPlace{static_cast<uint32_t>(plan.buffer_sizes.size()), 0};
    plan.buffer_sizes.push_back(4096);
  }
  plan.outputs = {3};
  plan.operators = {{"test::sum", "out"}};
  plan.chains = {{KernelCallPlan{0, {0, 1, 2, 3}}}};
  return plan;
}

}  // namespace

MethodPlan ConstantMethod(const char* name, std::vector<ValuePlan> values) {
  MethodPlan plan;
  plan.name = name;
  plan.values = std::move(values);
  for (size_t i = 0; i < plan.values.size(); ++i) plan.outputs.push_back(static_cast<int32_t>(i));
  plan.chains = {{}};
  return plan;
}

SumModel::SumModel(const SumModelOptions& options) {
  ProgramWriter writer;
  writer.AddMethod(Forward(options));
  if (options.max_context > 0) {
    writer.AddMethod(ConstantMethod("get_max_context_len", {options.max_context}));
  }
  writer.AddMethod(ConstantMethod("get_vocab_size", {kSumVocabulary}));
  writer.AddMethod(ConstantMethod("get_eos_ids", {options.eos_ids.begin(), options.eos_ids.end()}));
  auto program = OpenProgram(writer.Finish(), "sum.pte");
  if (!program.ok()) throw std::runtime_error(program.status().message());
  program_ = *program;
}

MethodOptions SumModel::LoadOptions() {
  static const Operator operators[] = {{"test::sum.out", Sum, nullptr}};
  MethodOptions options;
  options.operators = OperatorRegistry(operators);
  return options;
}

}  // namespace onepack
