#include "aot/data_bytes.h"

#include <utility>

#include "base/hex.h"
#include "base/sha256.h"

namespace onepack {

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
    ONEPACK_ASSIGN_OR_RETURN(const auto digest, hasher.Finish());
    contents_->sha256 = HexText(digest).view();
  }
  return contents_->sha256;
}

}  // namespace onepack
