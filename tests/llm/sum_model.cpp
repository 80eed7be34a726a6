#include "tests/llm/sum_model.h"

#include <string.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "tests/support/sources.h"

namespace onepack {
namespace {

std::vector<int64_t> Ints(const Value& value) {
  if (value.is(ValueKind::kInt)) return {value.int_value()};
  const Tensor& tensor = value.tensor();
  const size_t count = tensor.size_bytes() / ElementSize(tensor.scalar_type());
  std::vector<int64_t> numbers;
  for (size_t i = 0; i < count; ++i) {
    if (tensor.scalar_type() == ScalarType::kLong) {
      numbers.push_back(reinterpret_cast<const int64_t*>(tensor.data())[i]);
    } else if (tensor.scalar_type() == ScalarType::kInt) {
      numbers.push_back(reinterpret_cast<const int32_t*>(tensor.data())[i]);
    } else {
      numbers.push_back(static_cast<int64_t>(reinterpret_cast<const float*>(tensor.data())[i]));
    }
  }
  return numbers;
}

float* Floats(const Tensor& tensor) { return reinterpret_cast<float*>(tensor.mutable_data()); }

// The bits of -1 and 1 in each type that logits may have.
void StoreLogit(const Tensor& tensor, size_t index, bool is_next) {
  uint8_t* const bytes = tensor.mutable_data();
  const uint16_t half = is_next ? 0x3c00 : 0xbc00;
  const uint16_t bfloat16 = is_next ? 0x3f80 : 0xbf80;
  const float single = is_next ? 1.0f : -1.0f;
  const double wide = is_next ? 1.0 : -1.0;
  switch (tensor.scalar_type()) {
    case ScalarType::kHalf:
      memcpy(bytes + index * sizeof(half), &half, sizeof(half));
      break;
    case ScalarType::kBFloat16:
      memcpy(bytes + index * sizeof(bfloat16), &bfloat16, sizeof(bfloat16));
      break;
    case ScalarType::kDouble:
      memcpy(bytes + index * sizeof(wide), &wide, sizeof(wide));
      break;
    default:
      memcpy(bytes + index * sizeof(single), &single, sizeof(single));
  }
}

Status CheckPositions(const std::vector<int64_t>& positions, size_t tokens, size_t room) {
  for (size_t i = 0; i < positions.size(); ++i) {
    if (positions[i] != positions[0] + static_cast<int64_t>(i)) {
      return Status::Error(StatusCode::kInvalidArgument, "positions that do not follow");
    }
  }
  if (positions[0] >= 0 && static_cast<size_t>(positions[0]) + tokens <= room) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument, "position %lld past the cache of %zu",
                       static_cast<long long>(positions[0]), room);
}

// test::sum.out(tokens or vectors, positions or None, cache or None, logits)
Status Sum(void* /*context*/, Span<Value* const> arguments) {
  const std::vector<int64_t> tokens = Ints(*arguments[0]);
  std::vector<float> read;
  if (!arguments[1]->is(ValueKind::kNone)) {
    const std::vector<int64_t> positions = Ints(*arguments[1]);
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
  float sum = 0;
  for (const float token : read) sum += token;
  const auto next = static_cast<size_t>(sum) % kSumVocabulary;
  const size_t last = static_cast<size_t>(rows - 1) * kSumVocabulary;
  for (size_t i = 0; i < last + kSumVocabulary; ++i) StoreLogit(logits, i, i == last + next);
  return Status::Ok();
}

// test::embed.out(tokens, vectors): vectors of one float.
Status Embed(void* /*context*/, Span<Value* const> arguments) {
  const std::vector<int64_t> tokens = Ints(*arguments[0]);
  Tensor& vectors = arguments[1]->tensor();
  const int32_t sizes[] = {1, static_cast<int32_t>(tokens.size()), 1};
  ONEPACK_RETURN_IF_ERROR(vectors.Resize(sizes));
  std::copy(tokens.begin(), tokens.end(), Floats(vectors));
  return Status::Ok();
}

TensorPlan Planned(ScalarType type, std::vector<int32_t> sizes, bool is_dynamic) {
  TensorPlan tensor;
  tensor.scalar_type = type;
  tensor.sizes = std::move(sizes);
  tensor.is_dynamic = is_dynamic;
  return tensor;
}

// Each tensor in a planned buffer of its own.
void PlaceTensors(MethodPlan& plan) {
  for (ValuePlan& value : plan.values) {
    auto* tensor = std::get_if<TensorPlan>(&value);
    if (tensor == nullptr) continue;
    tensor->place = PlannedPlace{static_cast<uint32_t>(plan.buffer_sizes.size()), 0};
    plan.buffer_sizes.push_back(4096);
  }
}

TensorPlan Tokens(const SumModelOptions& options) {
  return Planned(options.id_type, {1, options.max_chunk}, options.is_dynamic);
}

TensorPlan Vectors(const SumModelOptions& options) {
  return Planned(ScalarType::kFloat, {1, options.max_chunk, 1}, options.is_dynamic);
}

ValuePlan Position(const SumModelOptions& options) {
  if (options.int_position) return int64_t{0};
  return Planned(options.id_type, {options.all_positions ? options.max_chunk : 1},
                 options.all_positions);
}

MethodPlan Decoder(const SumModelOptions& options) {
  MethodPlan plan;
  plan.name = options.has_embedding ? "text_decoder" : options.method;
  const auto vocabulary = static_cast<int32_t>(kSumVocabulary);
  plan.values = {
      options.has_embedding ? Vectors(options) : Tokens(options), std::monostate(),
      std::monostate(),
      options.all_logits
          ? Planned(options.logit_type, {1, options.max_chunk, vocabulary}, options.is_dynamic)
          : Planned(options.logit_type, {1, vocabulary}, false)};
  plan.inputs = {0};
  if (options.has_cache) {
    plan.values[1] = Position(options);
    plan.values[2] = Planned(ScalarType::kFloat, {16}, false);
    plan.inputs = {0, 1};
  }
  PlaceTensors(plan);
  plan.outputs = {3};
  plan.operators = {{"test::sum", "out"}};
  plan.chains = {{KernelCallPlan{0, {0, 1, 2, 3}}}};
  return plan;
}

MethodPlan Embedding(const SumModelOptions& options) {
  MethodPlan plan;
  plan.name = "token_embedding";
  plan.values = {Tokens(options), Vectors(options)};
  PlaceTensors(plan);
  plan.inputs = {0};
  plan.outputs = {1};
  plan.operators = {{"test::embed", "out"}};
  plan.chains = {{KernelCallPlan{0, {0, 1}}}};
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
  writer.AddMethod(Decoder(options));
  if (options.has_embedding) writer.AddMethod(Embedding(options));
  if (options.max_context > 0) {
    writer.AddMethod(ConstantMethod("get_max_context_len", {options.max_context}));
  }
  if (options.has_vocabulary) {
    writer.AddMethod(ConstantMethod("get_vocab_size", {kSumVocabulary}));
  }
  writer.AddMethod(ConstantMethod("get_eos_ids", {options.eos_ids.begin(), options.eos_ids.end()}));
  auto program = OpenProgram(writer.Finish(), options.name);
  if (!program.ok()) throw std::runtime_error(program.status().message());
  program_ = *program;
}

MethodOptions SumModel::LoadOptions() {
  static const Operator operators[] = {{"test::sum.out", Sum, nullptr},
                                       {"test::embed.out", Embed, nullptr}};
  MethodOptions options;
  options.operators = OperatorRegistry(operators);
  return options;
}

}  // namespace onepack
