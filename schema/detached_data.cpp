#include "schema/detached_data.h"

#include "schema/verify_flat_tensor.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

// More than any machine has, and far from what would overflow.
constexpr uint64_t kMaxSize = uint64_t{1} << 47;

// By which they are found.
Status CheckOrder(const wire::flat_tensor::FlatTensor& directory) {
  for (uint32_t i = 1; i < CountOf(directory.segments()); ++i) {
    const uint64_t before = directory.segments()->Get(i - 1)->offset();
    const uint64_t offset = directory.segments()->Get(i)->offset();
    if (before < offset) continue;
    return Status::Error(StatusCode::kInvalidFile, "segment %u at %llu, behind %llu expected", i,
                         static_cast<unsigned long long>(offset),
                         static_cast<unsigned long long>(before));
  }
  return Status::Ok();
}

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
  ONEPACK_RETURN_IF_ERROR(CheckOrder(*detached.directory));
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

const uint8_t* DetachedData::FindHash(const Segment& range) const {
  uint32_t first = 0;
  auto last = static_cast<uint32_t>(CountOf(directory->segments()));
  while (first < last) {
    const uint32_t middle = first + (last - first) / 2;
    const Segment segment = FlatTensorSegment(*directory, header, middle);
    if (segment.offset == range.offset) {
      return segment.size == range.size ? hashes.data() + middle * kDetachedHashSize : nullptr;
    }
    (segment.offset < range.offset ? first : last) =
        segment.offset < range.offset ? middle + 1 : middle;
  }
  return nullptr;
}

}  // namespace onepack
