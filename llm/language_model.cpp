#include "onepack/language_model.h"

#include <algorithm>
#include <new>
#include <set>
#include <string>
#include <utility>

#include "base/turn.h"
#include "llm/no_throw.h"
#include "llm/position_addressing.h"

namespace onepack {

Result<std::unique_ptr<LanguageModel>> LanguageModel::Load(const Ref<Program>& program,
                                                           const MethodOptions& options,
                                                           std::string_view method) {
  using Model = std::unique_ptr<LanguageModel>;
  if (!program) return Status::Error(StatusCode::kInvalidArgument, "no program was given");
  return NoThrow([&]() -> Result<Model> {
    ONEPACK_ASSIGN_OR_RETURN(ModelInfo info, ReadModelInfo(program));
    // State that the program's methods share is the model's own, unless the caller has others use
    // it.
    MethodOptions own = options;
    if (!own.shared_state) {
      ONEPACK_ASSIGN_OR_RETURN(own.shared_state,
                               SharedState::Create(program, own.max_planned_bytes, own.allocator));
    }
    ONEPACK_ASSIGN_OR_RETURN(TextDecoder decoder, TextDecoder::Load(program, method, own));
    Model model(new LanguageModel(std::move(decoder), std::move(info)));
    Status status = model->FindMaxContext();
    if (!status.ok()) return model->WithName(std::move(status));
    if (options.named_data) model->KeepSources(*options.named_data);
    return model;
  });
}

Status LanguageModel::FindMaxContext() {
  if (!decoder_.has_cache()) {
    max_context_ = max_chunk();
    return Status::Ok();
  }
  const int64_t said = info_.max_context_len > 0 ? info_.max_context_len : info_.max_seq_len;
  if (said > 0) {
    max_context_ = static_cast<size_t>(said);
    return Status::Ok();
  }
  std::string reasons;
  for (const std::string& line : info_.ignored) reasons += "; " + line;
  return Status::Error(StatusCode::kUnsupported,
                       "not a language model: it does not say how long a context may be, in "
                       "get_max_context_len or get_max_seq_len%s",
                       reasons.c_str());
}

// A few files have all keys.
void LanguageModel::KeepSources(const NamedDataMap& data) {
  const DataSource* last = nullptr;
  for (const NamedData& entry : data.entries()) {
    if (entry.source == last) continue;
    last = entry.source;
    const bool is_known = std::any_of(data_sources_.begin(), data_sources_.end(),
                                      [&](const auto& source) { return source.get() == last; });
    if (!is_known) data_sources_.push_back(Ref<const DataSource>::Share(last));
  }
}

Status LanguageModel::CheckTokens(Span<const int64_t> tokens) const {
  if (tokens.empty()) return Status::Error(StatusCode::kInvalidArgument, "no tokens to read");
  if (tokens.size() > max_context_ - context_.size()) {
    return Status::Error(StatusCode::kInvalidArgument,
                         "%zu tokens after %zu: the context has room for %zu", tokens.size(),
                         context_.size(), max_context_);
  }
  return CheckVocabulary(tokens);
}

Status LanguageModel::CheckVocabulary(Span<const int64_t> tokens) const {
  for (const int64_t token : tokens) {
    if (token >= 0 && (info_.vocab_size <= 0 || token < info_.vocab_size)) continue;
    return Status::Error(StatusCode::kInvalidArgument, "token %lld of a vocabulary of %lld",
                         static_cast<long long>(token), static_cast<long long>(info_.vocab_size));
  }
  return Status::Ok();
}

size_t LanguageModel::ChunkFor(size_t asked) const {
  if (!decoder_.has_cache()) return max_context_;
  return asked == 0 || decoder_.is_chunk_fixed() ? max_chunk() : std::min(asked, max_chunk());
}

Result<Span<const float>> LanguageModel::Append(Span<const int64_t> tokens, size_t chunk) {
  const Turn turn(is_busy_);
  if (!turn.is_ours()) return Busy();
  return NoThrow([&] { return AppendAll(tokens, chunk); });
}

Result<Span<const float>> LanguageModel::AppendAll(Span<const int64_t> tokens, size_t chunk) {
  Status status = CheckTokens(tokens);
  if (!status.ok()) return WithName(std::move(status));
  chunk = ChunkFor(chunk);
  for (size_t start = 0; start < tokens.size(); start += chunk) {
    const Span<const int64_t> part = tokens.subspan(start, std::min(chunk, tokens.size() - start));
    ONEPACK_RETURN_IF_ERROR(AppendChunk(part));
  }
  return decoder_.LastLogits();
}

Status LanguageModel::AppendChunk(Span<const int64_t> tokens) {
  const size_t position = context_.size();
  context_.insert(context_.end(), tokens.begin(), tokens.end());
  Status status = decoder_.has_cache() ? decoder_.Run(tokens, position) : decoder_.Run(context_, 0);
  if (!status.ok()) context_.resize(position);
  return status;
}

Status LanguageModel::Reset() {
  const Turn turn(is_busy_);
  return turn.is_ours() ? ForgetAll() : Busy();
}

Status LanguageModel::ForgetAll() {
  ONEPACK_RETURN_IF_ERROR(decoder_.Reset());
  context_.clear();
  return Status::Ok();
}

Status LanguageModel::Rewind(size_t count) {
  const Turn turn(is_busy_);
  if (!turn.is_ours()) return Busy();
  if (count > context_.size()) {
    return WithName(Status::Error(StatusCode::kInvalidArgument,
                                  "no way back to %zu tokens: the context has %zu", count,
                                  context_.size()));
  }
  if (count == context_.size()) return Status::Ok();
  if (count == 0) return ForgetAll();
  if (decoder_.has_cache() && !is_known_to_rewind_) {
    const auto& method = decoder_.method();
    Status status = NoThrow(
        [&] { return CheckPositionAddressed(method.program(), decoder_.method_name(), 1); });
    if (!status.ok()) return std::move(status).WithContext("no way back to %zu tokens", count);
    is_known_to_rewind_ = true;
  }
  context_.resize(count);
  return Status::Ok();
}

Result<SavedContext> LanguageModel::Save() const {
  const Turn turn(is_busy_);
  if (!turn.is_ours()) return Busy();
  return NoThrow([&]() -> Result<SavedContext> {
    SavedContext saved;
    saved.tokens = context_;
    ONEPACK_ASSIGN_OR_RETURN(saved.state, decoder_.method().SaveState());
    return saved;
  });
}

Status LanguageModel::CheckSaved(const SavedContext& saved) const {
  if (!saved.state) return Status::Error(StatusCode::kInvalidArgument, "an empty saved context");
  if (saved.tokens.size() > max_context_) {
    return Status::Error(StatusCode::kInvalidArgument,
                         "a saved context of %zu tokens: there is room for %zu",
                         saved.tokens.size(), max_context_);
  }
  return CheckVocabulary(saved.tokens);
}

Status LanguageModel::Restore(const SavedContext& saved) {
  const Turn turn(is_busy_);
  if (!turn.is_ours()) return Busy();
  Status status = CheckSaved(saved);
  if (!status.ok()) return WithName(std::move(status));
  return NoThrow([&]() -> Status {
    std::vector<int64_t> context = saved.tokens;
    ONEPACK_RETURN_IF_ERROR(decoder_.method().RestoreState(*saved.state));
    context_ = std::move(context);
    return Status::Ok();
  });
}

Result<std::unique_ptr<LanguageModel>> LanguageModel::Fork() const {
  using Model = std::unique_ptr<LanguageModel>;
  const Turn turn(is_busy_);
  if (!turn.is_ours()) return Busy();
  return NoThrow([&]() -> Result<Model> {
    ONEPACK_ASSIGN_OR_RETURN(TextDecoder decoder, decoder_.Fork());
    Model fork(new LanguageModel(std::move(decoder), ModelInfo(info_)));
    fork->max_context_ = max_context_;
    fork->data_sources_ = data_sources_;
    fork->context_ = context_;
    fork->is_known_to_rewind_ = is_known_to_rewind_;
    fork->digest_ = digest_;
    return fork;
  });
}

namespace {

// Bytes of pages, those of one place once.
class PageCount {
 public:
  StatePageVisitor visitor() { return {Add, this}; }
  Result<size_t> bytes() const {
    if (!is_out_of_memory_) return bytes_;
    return Status::Error(StatusCode::kResourceExhausted, "out of memory");
  }

 private:
  // Nothing may be thrown through who calls this.
  static void Add(void* self, const void* place, size_t bytes) {
    auto& count = *static_cast<PageCount*>(self);
    try {
      if (count.places_.insert(place).second) count.bytes_ += bytes;
    } catch (const std::bad_alloc&) {
      count.is_out_of_memory_ = true;
    }
  }

  std::set<const void*> places_;
  size_t bytes_ = 0;
  bool is_out_of_memory_ = false;
};

}  // namespace

Result<size_t> LanguageModel::ContextBytes(Span<const LanguageModel* const> models) {
  return NoThrow([&]() -> Result<size_t> {
    PageCount count;
    for (const LanguageModel* model : models) {
      if (model == nullptr)
        return Status::Error(StatusCode::kInvalidArgument, "no model was given");
      const Turn turn(model->is_busy_);
      if (!turn.is_ours()) return model->Busy();
      ONEPACK_RETURN_IF_ERROR(model->decoder_.VisitStatePages(count.visitor()));
    }
    return count.bytes();
  });
}

Result<Ref<MethodState>> LanguageModel::StateOfParts(uint64_t memory_size, Array<uint64_t> blocks,
                                                     Array<uint8_t> contents) const {
  return decoder_.method().StateOfParts(memory_size, std::move(blocks), std::move(contents));
}

Result<ModelDigest> LanguageModel::Digest() {
  const Turn turn(is_busy_);
  if (!turn.is_ours()) return Busy();
  return NoThrow([&]() -> Result<ModelDigest> {
    if (!digest_) {
      const DataSource& program = decoder_.method().program().source();
      ONEPACK_ASSIGN_OR_RETURN(digest_,
                               DigestModel(program, decoder_.method_name(), data_sources_));
    }
    return *digest_;
  });
}

Status LanguageModel::Busy() const {
  return WithName(Status::Error(StatusCode::kFailedPrecondition,
                                "the model is in use: by another thread, or by the generation "
                                "whose callback this is"));
}

Status LanguageModel::WithName(Status status) const {
  return std::move(status).WithContext("%s", name());
}

}  // namespace onepack
