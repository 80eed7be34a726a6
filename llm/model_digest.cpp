#include "onepack/model_digest.h"

#include <algorithm>

#include "base/sha256.h"

namespace onepack {
namespace {

constexpr uint64_t kPiece = uint64_t{4} << 20;

Result<Sha256> DigestOf(const DataSource& source) {
  Sha256Hasher hasher;
  for (uint64_t offset = 0; offset < source.size(); offset += kPiece) {
    const Segment piece{offset, std::min(kPiece, source.size() - offset)};
    ONEPACK_ASSIGN_OR_RETURN(const Buffer buffer, source.LoadWhole(piece));
    hasher.Add(buffer.bytes);
    source.Discard(piece);
  }
  return hasher.Finish();
}

}  // namespace

Result<ModelDigest> DigestModel(const DataSource& program, std::string_view method,
                                const std::vector<Ref<const DataSource>>& data) {
  ModelDigest digest;
  digest.method = method;
  ONEPACK_ASSIGN_OR_RETURN(digest.program, DigestOf(program));
  for (const Ref<const DataSource>& source : data) {
    ONEPACK_ASSIGN_OR_RETURN(digest.data.emplace_back(), DigestOf(*source));
  }
  std::sort(digest.data.begin(), digest.data.end());
  return digest;
}

}  // namespace onepack
