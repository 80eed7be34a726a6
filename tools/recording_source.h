// A source that notes which of its bytes are asked for, and gives those of another one. Their
// hashes it may know without being asked for them.

#ifndef ONEPACK_TOOLS_RECORDING_SOURCE_H_
#define ONEPACK_TOOLS_RECORDING_SOURCE_H_

#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "onepack/data_source.h"

namespace onepack {

class RecordingSource final : public DataSource {
 public:
  RecordingSource(Ref<DataSource> source, bool knows_hashes)
      : DataSource(source->identity()), source_(std::move(source)), knows_hashes_(knows_hashes) {}

  // Whether a byte of the range was asked for.
  bool WasAskedFor(const Segment& range) const;

  const char* name() const override { return source_->name(); }
  uint64_t size() const override { return source_->size(); }
  bool is_mapped() const override { return source_->is_mapped(); }
  bool keeps_bytes() const override { return source_->keeps_bytes(); }
  Result<Buffer> Load(const Segment& range) const override;
  Status Read(const Segment& range, uint8_t* destination) const override;
  bool has_bytes() const override { return source_->has_bytes(); }
  void Prefetch(const Segment& range) const override { source_->Prefetch(range); }
  void Discard(const Segment& range) const override { source_->Discard(range); }
  Status CheckUnchanged() const override { return source_->CheckUnchanged(); }
  const uint8_t* FindHash(const Segment& range) const override;

 private:
  void Note(const Segment& range) const;

  const Ref<DataSource> source_;
  const bool knows_hashes_;
  mutable std::mutex mutex_;
  // Guarded by mutex_.
  mutable std::vector<Segment> ranges_;  // that were asked for
  mutable std::map<std::pair<uint64_t, uint64_t>, Digest> hashes_;
};

}  // namespace onepack

#endif  // ONEPACK_TOOLS_RECORDING_SOURCE_H_
