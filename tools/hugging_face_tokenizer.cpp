#include "tools/hugging_face_tokenizer.h"

#include <utility>

#include "tools/hugging_face_tokenizer/c_interface.h"

namespace onepack {
namespace {

// A text or ids that a call sets, freed at the end.
struct OwnedText : HfText {
  OwnedText() : HfText{} {}
  OwnedText(const OwnedText&) = delete;
  OwnedText& operator=(const OwnedText&) = delete;
  ~OwnedText() { hf_text_free(*this); }
  std::string str() const { return std::string(data, size); }
};

struct OwnedIds : HfIds {
  OwnedIds() : HfIds{} {}
  OwnedIds(const OwnedIds&) = delete;
  OwnedIds& operator=(const OwnedIds&) = delete;
  ~OwnedIds() { hf_ids_free(*this); }
};

struct Closer {
  void operator()(HfTokenizer* tokenizer) const { hf_tokenizer_close(tokenizer); }
};

class HuggingFaceTokenizer : public Tokenizer {
 public:
  HuggingFaceTokenizer(std::string path, std::unique_ptr<HfTokenizer, Closer> tokenizer)
      : path_(std::move(path)), tokenizer_(std::move(tokenizer)) {}

  Result<std::vector<int64_t>> Encode(const std::string& text, bool begins_context) const override {
    OwnedIds ids;
    OwnedText error;
    if (!hf_tokenizer_encode(tokenizer_.get(), text.data(), text.size(), begins_context, &ids,
                             &error)) {
      return Failed(StatusCode::kInvalidArgument, error);
    }
    return std::vector<int64_t>(ids.data, ids.data + ids.size);
  }

  bool begins_texts() const override { return true; }

  Result<std::string> Decode(const std::vector<int64_t>& tokens) const override {
    std::vector<uint32_t> ids;
    for (const int64_t token : tokens) {
      if (token < 0 || token > UINT32_MAX ||
          !hf_tokenizer_has(tokenizer_.get(), static_cast<uint32_t>(token))) {
        return Status::Error(StatusCode::kInvalidArgument, "%s: no such token: %lld", path_.c_str(),
                             static_cast<long long>(token));
      }
      ids.push_back(static_cast<uint32_t>(token));
    }
    OwnedText text;
    OwnedText error;
    if (!hf_tokenizer_decode(tokenizer_.get(), ids.data(), ids.size(), &text, &error)) {
      return Failed(StatusCode::kInvalidFile, error);
    }
    return text.str();
  }

  // tokenizer.json does not say which of its special tokens ends a text.
  int64_t eos_id() const override { return -1; }

 private:
  Status Failed(StatusCode code, const OwnedText& error) const {
    return Status::Error(code, "%s: %s", path_.c_str(), error.str().c_str());
  }

  const std::string path_;
  const std::unique_ptr<HfTokenizer, Closer> tokenizer_;
};

}  // namespace

Result<std::unique_ptr<Tokenizer>> OpenHuggingFaceTokenizer(const std::string& path,
                                                            const std::string& bytes) {
  OwnedText error;
  std::unique_ptr<HfTokenizer, Closer> tokenizer(
      hf_tokenizer_open(bytes.data(), bytes.size(), &error));
  if (tokenizer == nullptr) {
    return Status::Error(StatusCode::kInvalidFile, "%s: not a tokenizer.json: %s", path.c_str(),
                         error.str().c_str());
  }
  return std::unique_ptr<Tokenizer>(
      std::make_unique<HuggingFaceTokenizer>(path, std::move(tokenizer)));
}

}  // namespace onepack
