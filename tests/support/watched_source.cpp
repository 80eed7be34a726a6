#include "tests/support/watched_source.h"

#include <string.h>

#include <algorithm>
#include <stdexcept>

namespace onepack {
namespace {

uint64_t EndOf(const Segment& range) { return range.offset + range.size; }

template <typename Predicate>
size_t Count(const std::vector<Segment>& ranges, Predicate predicate) {
  return static_cast<size_t>(std::count_if(ranges.begin(), ranges.end(), predicate));
}

}  // namespace

Ref<WatchedSource> WatchedSource::Create(std::vector<uint8_t> bytes, const char* name,
                                         Storage storage) {
  auto source = MakeRef<WatchedSource>(HeapAllocator(), std::move(bytes), name, storage);
  if (!source.ok()) throw std::runtime_error(source.status().message());
  return *source;
}

size_t WatchedSource::ReadsOf(const Segment& range) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return Count(reads_, [&](const Segment& read) {
    return read.offset < EndOf(range) && range.offset < EndOf(read);
  });
}

size_t WatchedSource::DiscardsOf(const Segment& range) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return Count(discards_, [&](const Segment& discard) {
    return discard.offset <= range.offset && EndOf(range) <= EndOf(discard);
  });
}

size_t WatchedSource::reads() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return reads_.size();
}

void WatchedSource::Forget() {
  const std::lock_guard<std::mutex> lock(mutex_);
  reads_.clear();
  discards_.clear();
}

Result<Buffer> WatchedSource::Load(const Segment& range) const {
  ONEPACK_RETURN_IF_ERROR(NoteRead(range));
  Buffer buffer;
  buffer.bytes = Bytes(bytes_).subspan(range.offset, range.size);
  buffer.owner = Ref<const RefCounted>::Share(this);
  return buffer;
}

Status WatchedSource::Read(const Segment& range, uint8_t* destination) const {
  ONEPACK_RETURN_IF_ERROR(NoteRead(range));
  memcpy(destination, bytes_.data() + range.offset, range.size);
  return Status::Ok();
}

void WatchedSource::Discard(const Segment& range) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  discards_.push_back(range);
}

Status WatchedSource::NoteRead(const Segment& range) const {
  ONEPACK_RETURN_IF_ERROR(CheckRange(range));
  if (on_read) ONEPACK_RETURN_IF_ERROR(on_read(range));
  const std::lock_guard<std::mutex> lock(mutex_);
  reads_.push_back(range);
  return Status::Ok();
}

}  // namespace onepack
