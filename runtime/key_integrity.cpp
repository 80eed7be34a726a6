#include "onepack/key_integrity.h"

#include "base/hex.h"
#include "base/printable.h"
#include "runtime/data_hash.h"

namespace onepack {
namespace {

constexpr std::string_view kScalePrefix = "scale_";

std::string_view HashIn(std::string_view key) {
  return key.substr(0, kScalePrefix.size()) == kScalePrefix ? key.substr(kScalePrefix.size()) : key;
}

}  // namespace

bool IsContentKey(std::string_view key) {
  const std::string_view hash = HashIn(key);
  if (hash.size() != 2 * sizeof(Digest::bytes)) return false;
  for (const char c : hash) {
    if (!IsHexDigit(c)) return false;
  }
  return true;
}

bool ParseContentKey(std::string_view key, uint8_t* sha256) {
  if (!IsContentKey(key)) return false;
  const std::string_view hash = HashIn(key);
  for (size_t i = 0; i < sizeof(Digest::bytes); ++i) {
    sha256[i] = static_cast<uint8_t>(HexValue(hash[2 * i]) << 4 | HexValue(hash[2 * i + 1]));
  }
  return true;
}

Status VerifyKey(const NamedData& data) {
  if (!IsContentKey(data.key)) return Status::Ok();
  ONEPACK_ASSIGN_OR_RETURN(const Digest digest, HashOf(data));
  const HexText found(digest.bytes);
  if (HashIn(data.key) == found.view()) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile,
                       "%s: key '%s' is not the SHA-256 of its %llu bytes, which is %s",
                       data.source->name(), Printable(data.key).c_str(),
                       static_cast<unsigned long long>(data.segment.size), found.c_str());
}

}  // namespace onepack
