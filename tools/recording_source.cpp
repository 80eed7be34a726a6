#include "tools/recording_source.h"

#include <algorithm>
#include <optional>

namespace onepack {

bool RecordingSource::WasAskedFor(const Segment& range) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::any_of(ranges_.begin(), ranges_.end(), [&range](const Segment& asked) {
    return asked.offset < range.offset + range.size && range.offset < asked.offset + asked.size;
  });
}

Result<Buffer> RecordingSource::Load(const Segment& range) const {
  Note(range);
  return source_->Load(range);
}

Status RecordingSource::Read(const Segment& range, uint8_t* destination) const {
  Note(range);
  return source_->Read(range, destination);
}

const uint8_t* RecordingSource::FindHash(const Segment& range) const {
  if (!knows_hashes_) return source_->FindHash(range);
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto [known, is_new] = hashes_.try_emplace({range.offset, range.size});
  if (is_new) {
    auto bytes = source_->LoadWhole(range);
    const auto hash = bytes.ok() ? Sha256Of(bytes->bytes) : std::nullopt;
    source_->Discard(range);
    if (!hash) {
      hashes_.erase(known);
      return source_->FindHash(range);
    }
    known->second = *hash;
  }
  return known->second.bytes.data();
}

void RecordingSource::Note(const Segment& range) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  ranges_.push_back(range);
}

}  // namespace onepack
