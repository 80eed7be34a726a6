#include "schema/detached_data.h"

#include "schema/verify_flat_tensor.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

// More than any machine has, and far from what would overflow.
constexpr uint64_t kMaxSize = uint64_t{1} << 47;

}  // namespace

Result<DetachedData> ParseDetachedData(Bytes bytes) {
  DetachedData detached;
  ONEPACK_ASSIGN_OR_RETURN(detached.header, ParseFlatTensorHeader(bytes, kMaxSize));
  const Segment& flatbuffer = detached.header.flatbuffer;
  const uint64_t directory_end = detached.header.segments.offset;
  if (flatbuffer.offset + flatbuffer.size > directory_end || directory_end > bytes.size()) {
    return Status::Error(StatusCode::kInvalidFile,
                         "a directory of %llu bytes at %llu, before %llu of %zu bytes expected",
                         static_cast<unsigned long long>(flatbuffer.size),
                         static_cast<unsigned long long>(flatbuffer.offset),
                         static_cast<unsigned long long>(directory_end), bytes.size());
  }
  ONEPACK_ASSIGN_OR_RETURN(
      detached.directory,
      VerifyFlatTensor(bytes.subspan(0, static_cast<size_t>(flatbuffer.offset + flatbuffer.size)),
                       detached.header));
  const Bytes rest = bytes.subspan(static_cast<size_t>(directory_end),
                                   bytes.size() - static_cast<size_t>(directory_end));
  const size_t segments = CountOf(detached.directory->segments());
  if (segments > rest.size() / kDetachedHashSize) {
    return Status::Error(StatusCode::kInvalidFile, "%zu bytes for the hashes of %zu segments",
                         rest.size(), segments);
  }
  const size_t hash_bytes = segments * kDetachedHashSize;
  detached.hashes = rest.subspan(0, hash_bytes);
  const Bytes where = rest.subspan(hash_bytes, rest.size() - hash_bytes);
  detached.where = {reinterpret_cast<const char*>(where.data()), where.size()};
  return detached;
}

// A weight asks for two or three.
const uint8_t* DetachedData::FindHash(const Segment& range) const {
  for (size_t i = 0; i < CountOf(directory->segments()); ++i) {
    const Segment segment = FlatTensorSegment(*directory, header, static_cast<uint32_t>(i));
    if (segment.offset == range.offset && segment.size == range.size) {
      return hashes.data() + i * kDetachedHashSize;
    }
  }
  return nullptr;
}

}  // namespace onepack
