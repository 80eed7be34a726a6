#include "onepack/text_decoder.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "base/printable.h"
#include "llm/has_method.h"
#include "llm/logits.h"

namespace onepack {
namespace {

constexpr std::string_view kForward = "forward";
constexpr std::string_view kTextDecoder = "text_decoder";
constexpr std::string_view kTokenEmbedding = "token_embedding";

Status NotALanguageModel(const char* what) {
  return Status::Error(StatusCode::kUnsupported, "not a language model: %s", what);
}

bool IsIntegerTensor(const Value& value) {
  return value.is(ValueKind::kTensor) && (value.tensor().scalar_type() == ScalarType::kLong ||
                                          value.tensor().scalar_type() == ScalarType::kInt);
}

// A dimension that is 1, or may be.
bool CanBeOne(const Tensor& tensor, size_t dimension) {
  return tensor.bounds()[dimension] == 1 || (tensor.is_dynamic() && tensor.bounds()[dimension] > 1);
}

std::string_view OwnName(const Program& program, std::string_view name) {
  for (size_t i = 0; i < program.method_count(); ++i) {
    if (program.method_name(i) == name) return program.method_name(i);
  }
  return name;
}

std::string_view ChooseMethod(const Program& program) {
  const bool has_pair = HasMethod(program, kTextDecoder) && HasMethod(program, kTokenEmbedding);
  return !HasMethod(program, kForward) && has_pair ? kTextDecoder : kForward;
}

}  // namespace

Result<TextDecoder> TextDecoder::Load(const Ref<Program>& program, std::string_view name,
                                      const MethodOptions& options) {
  if (name.empty()) name = ChooseMethod(*program);
  Ref<Method> embedding;
  if (name == kTextDecoder && HasMethod(*program, kTokenEmbedding)) {
    ONEPACK_ASSIGN_OR_RETURN(embedding, Method::Load(program, kTokenEmbedding, options));
  }
  ONEPACK_ASSIGN_OR_RETURN(Ref<Method> method, Method::Load(program, name, options));
  name = OwnName(*program, name);
  TextDecoder decoder(std::move(embedding), std::move(method), name);
  Status status = decoder.CheckSignature();
  if (status.ok()) return decoder;
  return std::move(status).WithContext("%s: method '%s'", program->name(), Printable(name).c_str());
}

const Ref<SharedState>& TextDecoder::SharedStateOfMethods() const {
  const bool is_of_embedding = embedding_ && !method_->shared_state();
  return is_of_embedding ? embedding_->shared_state() : method_->shared_state();
}

Result<TextDecoder> TextDecoder::Fork() const {
  Ref<SharedState> state;
  if (SharedStateOfMethods()) {
    ONEPACK_ASSIGN_OR_RETURN(state, SharedStateOfMethods()->Fork());
  }
  Ref<Method> embedding;
  if (embedding_) {
    ONEPACK_ASSIGN_OR_RETURN(embedding, embedding_->Fork(state));
  }
  ONEPACK_ASSIGN_OR_RETURN(Ref<Method> method, method_->Fork(state));
  TextDecoder fork(std::move(embedding), std::move(method), method_name_);
  fork.max_chunk_ = max_chunk_;
  fork.is_chunk_fixed_ = is_chunk_fixed_;
  return fork;
}

Status TextDecoder::Reset() {
  if (embedding_) ONEPACK_RETURN_IF_ERROR(embedding_->Reset());
  return method_->Reset();
}

Status TextDecoder::VisitStatePages(const StatePageVisitor& visitor) const {
  if (embedding_) ONEPACK_RETURN_IF_ERROR(embedding_->VisitStatePages(visitor));
  return method_->VisitStatePages(visitor);
}

// What inputs and outputs look like says how the model wants to be called.
Status TextDecoder::CheckSignature() {
  if (method_->input_count() != 1 && method_->input_count() != 2) {
    return NotALanguageModel("it takes neither tokens nor tokens and a position");
  }
  ONEPACK_RETURN_IF_ERROR(CheckTokens());
  if (embedding_) ONEPACK_RETURN_IF_ERROR(CheckEmbedding());
  if (has_cache()) ONEPACK_RETURN_IF_ERROR(CheckPosition());
  if (method_->output_count() < 1 || !IsLogits(method_->output(0))) {
    return NotALanguageModel(
        "output 0 is not floating point [1, vocabulary] or [1, n, vocabulary]");
  }
  return Status::Ok();
}

Status TextDecoder::CheckTokens() {
  const Method& method = first();
  const bool is_row = method.input_count() >= 1 && IsIntegerTensor(method.input(0)) &&
                      method.input(0).tensor().rank() == 2 &&
                      CanBeOne(method.input(0).tensor(), 0) &&
                      method.input(0).tensor().bounds()[1] >= 1;
  if (!is_row) {
    return NotALanguageModel(embedding_
                                 ? "input 0 of 'token_embedding' is not int64 or int32 [1, n]"
                                 : "input 0 is not int64 or int32 [1, n]");
  }
  const Tensor& tokens = method.input(0).tensor();
  max_chunk_ = static_cast<size_t>(tokens.bounds()[1]);
  is_chunk_fixed_ = !tokens.is_dynamic();
  return Status::Ok();
}

// What the first method gives is what the second one takes.
Status TextDecoder::CheckEmbedding() {
  if (embedding_->input_count() != 1 || embedding_->output_count() != 1 ||
      !embedding_->output(0).is(ValueKind::kTensor) || !method_->input(0).is(ValueKind::kTensor)) {
    return NotALanguageModel("'token_embedding' does not turn tokens into one tensor for it");
  }
  const Tensor& given = embedding_->output(0).tensor();
  const Tensor& taken = method_->input(0).tensor();
  const bool fits = given.scalar_type() == taken.scalar_type() && given.rank() == 3 &&
                    taken.rank() == 3 && given.bounds()[2] == taken.bounds()[2];
  if (!fits) {
    return NotALanguageModel("'token_embedding' gives another type or width than it takes");
  }
  const auto rows = static_cast<size_t>(taken.bounds()[1]);
  const bool are_rows_fixed = !taken.is_dynamic();
  if ((are_rows_fixed && max_chunk_ < rows) || (is_chunk_fixed_ && max_chunk_ > rows)) {
    return NotALanguageModel("'token_embedding' gives another number of rows than it takes");
  }
  max_chunk_ = std::min(max_chunk_, rows);
  is_chunk_fixed_ = is_chunk_fixed_ || are_rows_fixed;
  return Status::Ok();
}

Status TextDecoder::CheckPosition() const {
  const Value& position = method_->input(1);
  if (position.is(ValueKind::kInt)) return Status::Ok();
  if (IsIntegerTensor(position) && position.tensor().rank() <= 1) return Status::Ok();
  return NotALanguageModel("input 1 is neither int64 or int32 [n] nor an int");
}

Status TextDecoder::Run(Span<const int64_t> tokens, size_t position) {
  if (is_chunk_fixed_ && tokens.size() != max_chunk_) {
    return Status::Error(StatusCode::kInvalidArgument, "%s: %zu tokens at once, exactly %zu taken",
                         method_->program().name(), tokens.size(), max_chunk_);
  }
  ONEPACK_RETURN_IF_ERROR(SetIntegers(first(), 0, tokens));
  if (embedding_) {
    ONEPACK_RETURN_IF_ERROR(embedding_->Execute());
    ONEPACK_RETURN_IF_ERROR(method_->SetInput(0, embedding_->output(0)));
  }
  if (has_cache()) ONEPACK_RETURN_IF_ERROR(SetPosition(position, tokens.size()));
  return method_->Execute();
}

Status TextDecoder::SetPosition(size_t position, size_t count) {
  const auto first_position = static_cast<int64_t>(position);
  const Value& input = method_->input(1);
  if (input.is(ValueKind::kInt)) return method_->SetInput(1, Value::OfInt(first_position));
  const Tensor& tensor = input.tensor();
  const bool takes_all = tensor.rank() == 1 && tensor.bounds()[0] > 1;
  positions_.resize(takes_all ? count : 1);
  std::iota(positions_.begin(), positions_.end(), first_position);
  return SetIntegers(*method_, 1, positions_);
}

// As [1, n], [n] or a single number, in the type that the input has.
Status TextDecoder::SetIntegers(Method& method, size_t input, Span<const int64_t> numbers) {
  const Tensor& expected = method.input(input).tensor();
  const int32_t sizes[] = {1, static_cast<int32_t>(numbers.size())};
  const uint8_t order[] = {0, 1};
  const size_t rank = expected.rank();
  const TensorLayout layout{expected.scalar_type(), {sizes + 2 - rank, rank}, {order, rank}};
  Bytes bytes(reinterpret_cast<const uint8_t*>(numbers.data()), numbers.size() * sizeof(int64_t));
  if (expected.scalar_type() == ScalarType::kInt) {
    narrow_.clear();
    for (const int64_t number : numbers) {
      if (number > std::numeric_limits<int32_t>::max()) {
        return Status::Error(StatusCode::kInvalidArgument,
                             "%s: %lld does not fit the model's int32", method.program().name(),
                             static_cast<long long>(number));
      }
      narrow_.push_back(static_cast<int32_t>(number));
    }
    bytes = {reinterpret_cast<const uint8_t*>(narrow_.data()), narrow_.size() * sizeof(int32_t)};
  }
  // SetInput copies from it and writes nothing.
  ONEPACK_ASSIGN_OR_RETURN(
      Tensor tensor, Tensor::Over(layout, {const_cast<uint8_t*>(bytes.data()), bytes.size()}));
  return method.SetInput(input, Value::OfTensor(&tensor));
}

Result<Span<const float>> TextDecoder::LastLogits() {
  // Instructions may have put another value there.
  if (!IsLogits(method_->output(0))) {
    return Status::Error(StatusCode::kInvalidFile, "%s: the method gave no logits",
                         method_->program().name());
  }
  auto row = LastRow(method_->output(0).tensor(), converted_logits_);
  if (!row.ok()) return row.TakeStatus().WithContext("%s", method_->program().name());
  return row;
}

}  // namespace onepack
