#include "delegate/key_integrity.h"

#include <algorithm>

#include "base/digest.h"
#include "base/printable.h"

namespace onepack {
namespace {

constexpr size_t kHexDigits = 64;
constexpr std::string_view kScalePrefix = "scale_";

std::string_view HashIn(std::string_view key) {
  return key.substr(0, kScalePrefix.size()) == kScalePrefix ? key.substr(kScalePrefix.size()) : key;
}

class HexText {
 public:
  explicit HexText(const Digest& digest) {
    static constexpr char kDigits[] = "0123456789abcdef";
    char* next = text_;
    for (const uint8_t byte : digest.bytes) {
      *next++ = kDigits[byte >> 4];
      *next++ = kDigits[byte & 15];
    }
    *next = '\0';
  }
  const char* c_str() const { return text_; }

 private:
  char text_[kHexDigits + 1];
};

}  // namespace

bool IsContentKey(std::string_view key) {
  const std::string_view hash = HashIn(key);
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return hash.size() == kHexDigits && std::all_of(hash.begin(), hash.end(), is_hex);
}

Status VerifyKey(const NamedData& data) {
  if (!IsContentKey(data.key)) return Status::Ok();
  ONEPACK_ASSIGN_OR_RETURN(const Buffer buffer, data.Load());
  const std::optional<Digest> digest = Sha256Of(buffer.bytes);
  data.source->Discard(data.segment);
  if (!digest) {
    return Status::Error(StatusCode::kInternal, "%s: key '%s': its SHA-256 cannot be computed",
                         data.source->name(), Printable(data.key).c_str());
  }
  const HexText found(*digest);
  if (HashIn(data.key) == found.c_str()) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile,
                       "%s: key '%s' is not the SHA-256 of its %llu bytes, which is %s",
                       data.source->name(), Printable(data.key).c_str(),
                       static_cast<unsigned long long>(data.segment.size), found.c_str());
}

Result<KeyReport> VerifyKeys(const NamedDataMap& map) {
  KeyReport report;
  for (const NamedData& entry : map.entries()) {
    if (!IsContentKey(entry.key)) {
      ++report.other_keys;
      continue;
    }
    ONEPACK_RETURN_IF_ERROR(VerifyKey(entry));
    ++report.verified_keys;
    report.verified_bytes += entry.segment.size;
  }
  return report;
}

Status KeyVerifier::Verify(const NamedData& data) {
  if (!verified_.insert(&data).second) return Status::Ok();
  return VerifyKey(data);
}

}  // namespace onepack
