#include "llm/language_model.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "llm/no_throw.h"

namespace onepack {
namespace {

constexpr char kMethodName[] = "forward";

bool IsTensor(const Value& value, ScalarType type, size_t lowest_rank, size_t highest_rank) {
  return value.is(ValueKind::kTensor) && value.tensor().scalar_type() == type &&
         value.tensor().rank() >= lowest_rank && value.tensor().rank() <= highest_rank;
}

Status NotALanguageModel(const char* what) {
  return Status::Error(StatusCode::kUnsupported, "not a language model: %s", what);
}

}  // namespace

Result<std::unique_ptr<LanguageModel>> LanguageModel::Load(const Ref<Program>& program,
                                                           const MethodOptions& options) {
  using Model = std::unique_ptr<LanguageModel>;
  return NoThrow([&]() -> Result<Model> {
    ONEPACK_ASSIGN_OR_RETURN(ModelInfo info, ReadModelInfo(program));
    ONEPACK_ASSIGN_OR_RETURN(Ref<Method> method, Method::Load(program, kMethodName, options));
    Model model(new LanguageModel(std::move(method), std::move(info)));
    Status status = model->CheckInputs();
    if (status.ok()) status = model->CheckOutput();
    if (status.ok()) return model;
    return std::move(status).WithContext("%s: method '%s'", program->name(), kMethodName);
  });
}

// What the inputs look like says how the model wants to be called.
Status LanguageModel::CheckInputs() {
  const bool has_position = method_->input_count() == 2;
  if (method_->input_count() != 1 && !has_position) {
    return NotALanguageModel("it takes neither tokens nor tokens and a position");
  }
  if (!IsTensor(method_->input(0), ScalarType::kLong, 2, 2) ||
      method_->input(0).tensor().bounds()[0] != 1 || method_->input(0).tensor().bounds()[1] < 1) {
    return NotALanguageModel("input 0 is not int64 [1, n]");
  }
  const Tensor& tokens = method_->input(0).tensor();
  max_chunk_ = static_cast<size_t>(tokens.bounds()[1]);
  is_chunk_fixed_ = !tokens.is_dynamic();
  if (!has_position) {
    max_context_ = max_chunk_;
    return Status::Ok();
  }
  if (!IsTensor(method_->input(1), ScalarType::kLong, 1, 1)) {
    return NotALanguageModel("input 1 is not int64 [n]");
  }
  takes_every_position_ =
      method_->input(1).tensor().is_dynamic() || method_->input(1).tensor().bounds()[0] > 1;
  max_context_ = info_.max_context_len > 0 ? static_cast<size_t>(info_.max_context_len)
                                           : static_cast<size_t>(info_.max_seq_len);
  if (max_context_ == 0) return NotALanguageModel("it does not say how long a context may be");
  return Status::Ok();
}

bool LanguageModel::HasLogits() const {
  return method_->output_count() >= 1 && IsTensor(method_->output(0), ScalarType::kFloat, 2, 3);
}

Status LanguageModel::CheckOutput() const {
  if (HasLogits() &&
      method_->output(0).tensor().bounds()[method_->output(0).tensor().rank() - 1] > 0) {
    return Status::Ok();
  }
  return NotALanguageModel("output 0 is not float32 [1, vocabulary] or [1, n, vocabulary]");
}

Status LanguageModel::CheckTokens(Span<const int64_t> tokens) const {
  if (tokens.empty()) return Status::Error(StatusCode::kInvalidArgument, "no tokens to read");
  if (tokens.size() > max_context_ - context_.size()) {
    return Status::Error(StatusCode::kInvalidArgument,
                         "%zu tokens after %zu: the context has room for %zu", tokens.size(),
                         context_.size(), max_context_);
  }
  for (const int64_t token : tokens) {
    if (token >= 0 && (info_.vocab_size <= 0 || token < info_.vocab_size)) continue;
    return Status::Error(StatusCode::kInvalidArgument, "token %lld of a vocabulary of %lld",
                         static_cast<long long>(token), static_cast<long long>(info_.vocab_size));
  }
  return Status::Ok();
}

Result<Span<const float>> LanguageModel::Append(Span<const int64_t> tokens, size_t chunk) {
  Status status = CheckTokens(tokens);
  if (!status.ok()) return WithName(std::move(status));
  chunk = chunk == 0 || is_chunk_fixed_ ? max_chunk_ : std::min(chunk, max_chunk_);
  if (!has_cache()) chunk = tokens.size();
  for (size_t start = 0; start < tokens.size(); start += chunk) {
    const Span<const int64_t> part = tokens.subspan(start, std::min(chunk, tokens.size() - start));
    ONEPACK_RETURN_IF_ERROR(AppendChunk(part));
  }
  return LastLogits();
}

Status LanguageModel::AppendChunk(Span<const int64_t> tokens) {
  return NoThrow([&]() -> Status {
    const size_t position = context_.size();
    context_.insert(context_.end(), tokens.begin(), tokens.end());
    Status status = has_cache() ? Run(tokens, position) : Run(context_, 0);
    if (!status.ok()) context_.resize(position);
    return status;
  });
}

Status LanguageModel::Run(Span<const int64_t> tokens, size_t position) {
  if (is_chunk_fixed_ && tokens.size() != max_chunk_) {
    return WithName(Status::Error(StatusCode::kInvalidArgument,
                                  "%zu tokens at once, exactly %zu are taken", tokens.size(),
                                  max_chunk_));
  }
  ONEPACK_RETURN_IF_ERROR(SetIds(0, tokens, /*is_row=*/true));
  if (has_cache()) {
    std::vector<int64_t> positions(takes_every_position_ ? tokens.size() : 1);
    std::iota(positions.begin(), positions.end(), static_cast<int64_t>(position));
    ONEPACK_RETURN_IF_ERROR(SetIds(1, positions, /*is_row=*/false));
  }
  return method_->Execute();
}

Status LanguageModel::SetIds(size_t input, Span<const int64_t> numbers, bool is_row) {
  const int32_t sizes[] = {1, static_cast<int32_t>(numbers.size())};
  const uint8_t order[] = {0, 1};
  const size_t rank = is_row ? 2 : 1;
  const TensorLayout layout{ScalarType::kLong, {sizes + 2 - rank, rank}, {order, rank}};
  // SetInput copies from it and writes nothing.
  auto* bytes = reinterpret_cast<uint8_t*>(const_cast<int64_t*>(numbers.data()));
  ONEPACK_ASSIGN_OR_RETURN(Tensor tensor,
                           Tensor::Over(layout, {bytes, numbers.size() * sizeof(int64_t)}));
  return method_->SetInput(input, Value::OfTensor(&tensor));
}

Result<Span<const float>> LanguageModel::LastLogits() const {
  // Instructions may have put another tensor there.
  if (!HasLogits()) {
    return WithName(Status::Error(StatusCode::kInvalidFile, "the method gave no logits"));
  }
  const Tensor& logits = method_->output(0).tensor();
  const auto width = static_cast<size_t>(logits.sizes()[logits.rank() - 1]);
  const size_t count = logits.size_bytes() / sizeof(float);
  if (width == 0 || count < width) {
    return WithName(Status::Error(StatusCode::kInternal, "the method gave no logits"));
  }
  const auto* numbers = reinterpret_cast<const float*>(logits.data());
  return Span<const float>(numbers + count - width, width);
}

Status LanguageModel::WithName(Status status) const {
  return std::move(status).WithContext("%s", method_->program().name());
}

Status LanguageModel::Reset() {
  ONEPACK_RETURN_IF_ERROR(method_->Reset());
  context_.clear();
  return Status::Ok();
}

Result<SavedContext> LanguageModel::Save() const {
  return NoThrow([&]() -> Result<SavedContext> {
    SavedContext saved;
    saved.tokens = context_;
    ONEPACK_ASSIGN_OR_RETURN(saved.state, method_->SaveState());
    return saved;
  });
}

Status LanguageModel::Restore(const SavedContext& saved) {
  if (saved.state.get() == nullptr) {
    return WithName(Status::Error(StatusCode::kInvalidArgument, "an empty saved context"));
  }
  return NoThrow([&]() -> Status {
    std::vector<int64_t> context = saved.tokens;
    ONEPACK_RETURN_IF_ERROR(method_->RestoreState(*saved.state));
    context_ = std::move(context);
    return Status::Ok();
  });
}

}  // namespace onepack
