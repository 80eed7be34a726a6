#include "aot/source_bytes.h"

#include <algorithm>

namespace onepack {
namespace {

constexpr uint64_t kPieceBytes = uint64_t{1} << 20;

}  // namespace

DataBytes BytesOfSource(const Ref<const DataSource>& source, const Segment& range,
                        const Watch& watch) {
  return DataBytes::Produced(range.size, [source, range, watch](const Append& append) {
    for (uint64_t done = 0; done < range.size; done += kPieceBytes) {
      const Segment piece = {range.offset + done, std::min(kPieceBytes, range.size - done)};
      ONEPACK_ASSIGN_OR_RETURN(const Buffer buffer, source->LoadWhole(piece));
      ONEPACK_RETURN_IF_ERROR(append(buffer.bytes));
      source->Discard(piece);
      if (watch) ONEPACK_RETURN_IF_ERROR(watch(piece.size));
    }
    return Status::Ok();
  });
}

}  // namespace onepack
