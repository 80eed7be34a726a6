#include "tools/sentence_piece_tokenizer.h"

#include <sentencepiece_processor.h>

#include <utility>

namespace onepack {
namespace {

Status Failed(const sentencepiece::util::Status& status, StatusCode code, const char* what) {
  return Status::Error(code, "%s: %s", what, status.ToString().c_str());
}

class SentencePieceTokenizer : public Tokenizer {
 public:
  sentencepiece::util::Status Load(const std::string& bytes) {
    return processor_.LoadFromSerializedProto(bytes);
  }

  Result<std::vector<int64_t>> Encode(const std::string& text,
                                      bool /*begins_context*/) const override {
    std::vector<int> ids;
    const auto status = processor_.Encode(text, &ids);
    if (!status.ok()) return Failed(status, StatusCode::kInvalidArgument, "tokenizing the text");
    return std::vector<int64_t>(ids.begin(), ids.end());
  }

  bool begins_texts() const override { return false; }

  Result<std::string> Decode(const std::vector<int64_t>& tokens) const override {
    std::vector<int> ids;
    for (const int64_t token : tokens) {
      if (token < 0 || token >= processor_.GetPieceSize()) {
        return Status::Error(StatusCode::kInvalidArgument, "token %lld of a tokenizer that has %d",
                             static_cast<long long>(token), processor_.GetPieceSize());
      }
      ids.push_back(static_cast<int>(token));
    }
    std::string text;
    const auto status = processor_.Decode(ids, &text);
    if (!status.ok()) return Failed(status, StatusCode::kInternal, "making text of tokens");
    return text;
  }

  int64_t eos_id() const override { return processor_.eos_id(); }

 private:
  sentencepiece::SentencePieceProcessor processor_;
};

}  // namespace

Result<std::unique_ptr<Tokenizer>> OpenSentencePieceTokenizer(const std::string& path,
                                                              const std::string& bytes) {
  auto tokenizer = std::make_unique<SentencePieceTokenizer>();
  // The library takes an empty file for a model without pieces.
  if (bytes.empty() || !tokenizer->Load(bytes).ok()) {
    return Status::Error(StatusCode::kInvalidFile,
                         "%s: neither a tokenizer.json nor a SentencePiece model", path.c_str());
  }
  return std::unique_ptr<Tokenizer>(std::move(tokenizer));
}

}  // namespace onepack
