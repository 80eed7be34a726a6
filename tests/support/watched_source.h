// A data source in memory that remembers what is read of it and what is let go of.

#ifndef ONEPACK_TESTS_SUPPORT_WATCHED_SOURCE_H_
#define ONEPACK_TESTS_SUPPORT_WATCHED_SOURCE_H_

#include <stdint.h>

#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "onepack/data_source.h"

namespace onepack {

// Threads: any, but for on_read, which is set before anything is read.
class WatchedSource final : public DataSource {
 public:
  enum class Storage : uint8_t { kMapped, kReadOnRequest };

  static Ref<WatchedSource> Create(std::vector<uint8_t> bytes, const char* name,
                                   Storage storage = Storage::kMapped);

  // What the test wants of a read; empty means success.
  std::function<Status(const Segment& range)> on_read;

  // How often a range was read that has a byte of this one, and how often one was let go of that
  // has all of it.
  size_t ReadsOf(const Segment& range) const;
  size_t DiscardsOf(const Segment& range) const;
  size_t reads() const;
  // Nothing has happened so far.
  void Forget();

  const char* name() const override { return name_.c_str(); }
  uint64_t size() const override { return bytes_.size(); }
  bool is_mapped() const override { return storage_ == Storage::kMapped; }
  Result<Buffer> Load(const Segment& range) const override;
  Status Read(const Segment& range, uint8_t* destination) const override;
  void Discard(const Segment& range) const override;

  // For MakeRef.
  WatchedSource(std::vector<uint8_t> bytes, const char* name, Storage storage)
      : bytes_(std::move(bytes)), name_(name), storage_(storage) {}

 private:
  Status NoteRead(const Segment& range) const;

  const std::vector<uint8_t> bytes_;
  const std::string name_;
  const Storage storage_;
  mutable std::mutex mutex_;
  // Guarded by it.
  mutable std::vector<Segment> reads_;
  mutable std::vector<Segment> discards_;
};

}  // namespace onepack

#endif  // ONEPACK_TESTS_SUPPORT_WATCHED_SOURCE_H_
