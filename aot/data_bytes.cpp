#include "aot/data_bytes.h"

#include <openssl/evp.h>

#include <utility>

namespace onepack {
namespace {

class Sha256Hasher {
 public:
  Sha256Hasher() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    is_sound_ =
        context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1;
  }

  void Add(Bytes bytes) {
    is_sound_ = is_sound_ && EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1;
  }

  Result<std::string> Finish() {
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (!is_sound_ || EVP_DigestFinal_ex(context_.get(), digest, &size) != 1) {
      return Status::Error(StatusCode::kInternal, "a SHA-256 cannot be computed");
    }
    static constexpr char kHex[] = "0123456789abcdef";
    std::string text;
    for (unsigned i = 0; i < size; ++i) {
      text += kHex[digest[i] >> 4];
      text += kHex[digest[i] & 15];
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
  bool is_sound_ = false;
};

}  // namespace

struct DataBytes::Contents {
  uint64_t size_bytes = 0;
  std::vector<uint8_t> owned;
  Bytes view;          // of `owned`, or borrowed; means nothing when there is a producer
  Producer producer;   // empty: `view` is all
  std::string sha256;  // empty: not asked for yet
};

DataBytes DataBytes::Owned(std::vector<uint8_t> bytes) {
  const auto contents = std::make_shared<Contents>();
  contents->owned = std::move(bytes);
  contents->view = contents->owned;
  contents->size_bytes = contents->view.size();
  return DataBytes(contents);
}

DataBytes DataBytes::Borrowed(Bytes bytes) {
  const auto contents = std::make_shared<Contents>();
  contents->view = bytes;
  contents->size_bytes = bytes.size();
  return DataBytes(contents);
}

DataBytes DataBytes::Produced(uint64_t size_bytes, Producer producer) {
  const auto contents = std::make_shared<Contents>();
  contents->producer = std::move(producer);
  contents->size_bytes = size_bytes;
  return DataBytes(contents);
}

uint64_t DataBytes::size_bytes() const { return contents_->size_bytes; }

Status DataBytes::AppendTo(const Append& append) const {
  if (!contents_->producer) {
    return contents_->view.empty() ? Status::Ok() : append(contents_->view);
  }
  uint64_t written = 0;
  ONEPACK_RETURN_IF_ERROR(contents_->producer([&](Bytes bytes) {
    written += bytes.size();
    return append(bytes);
  }));
  if (written == contents_->size_bytes) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument, "%llu bytes were announced and %llu came",
                       static_cast<unsigned long long>(contents_->size_bytes),
                       static_cast<unsigned long long>(written));
}

Result<std::vector<uint8_t>> DataBytes::ToVector() const {
  std::vector<uint8_t> all;
  all.reserve(contents_->size_bytes);
  ONEPACK_RETURN_IF_ERROR(AppendTo([&](Bytes bytes) {
    all.insert(all.end(), bytes.begin(), bytes.end());
    return Status::Ok();
  }));
  return all;
}

Result<std::string> DataBytes::Sha256() const {
  if (contents_->sha256.empty()) {
    Sha256Hasher hasher;
    ONEPACK_RETURN_IF_ERROR(AppendTo([&](Bytes bytes) {
      hasher.Add(bytes);
      return Status::Ok();
    }));
    ONEPACK_ASSIGN_OR_RETURN(contents_->sha256, hasher.Finish());
  }
  return contents_->sha256;
}

}  // namespace onepack
