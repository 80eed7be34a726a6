#include "aot/segment_list.h"

#include <numeric>
#include <utility>

#include "base/rounding.h"

namespace onepack {
namespace {

// Of buffers inside a segment.
constexpr size_t kBufferAlignment = 16;

Status AppendZeros(uint64_t size, const Append& append) {
  const std::vector<uint8_t> zeros(size);
  return zeros.empty() ? Status::Ok() : append(zeros);
}

}  // namespace

uint32_t BufferGroup::Add(DataBytes bytes) {
  offsets_.push_back(RoundUp(size_bytes_, kBufferAlignment));
  size_bytes_ = offsets_.back() + bytes.size_bytes();
  buffers_.push_back(std::move(bytes));
  return static_cast<uint32_t>(buffers_.size());
}

DataBytes BufferGroup::ToSegment() const {
  return DataBytes::Produced(size_bytes_, [group = *this](const Append& append) {
    uint64_t end = 0;
    for (size_t i = 0; i < group.buffers_.size(); ++i) {
      ONEPACK_RETURN_IF_ERROR(AppendZeros(group.offsets_[i + 1] - end, append));
      ONEPACK_RETURN_IF_ERROR(group.buffers_[i].AppendTo(append));
      end = group.offsets_[i + 1] + group.buffers_[i].size_bytes();
    }
    return Status::Ok();
  });
}

uint64_t SegmentList::size_bytes() const {
  return segments_.empty() ? 0 : segments_.back().offset + segments_.back().bytes.size_bytes();
}

uint32_t SegmentList::Add(DataBytes bytes, size_t alignment) {
  const size_t whole = std::lcm(alignment_, alignment);
  base_alignment_ = std::lcm(base_alignment_, whole);
  segments_.push_back({RoundUp(size_bytes(), whole), std::move(bytes)});
  return static_cast<uint32_t>(segments_.size() - 1);
}

Status SegmentList::Write(const Append& append) const {
  uint64_t end = 0;
  for (size_t i = 0; i < segments_.size(); ++i) {
    ONEPACK_RETURN_IF_ERROR(AppendZeros(segments_[i].offset - end, append));
    Status status = segments_[i].bytes.AppendTo(append);
    if (!status.ok()) return std::move(status).WithContext("segment %zu", i);
    end = segments_[i].offset + segments_[i].bytes.size_bytes();
  }
  return Status::Ok();
}

}  // namespace onepack
