// The source of data that was detached from a data file (schema/detached_data.h): it knows the
// hashes of its bytes, and has none of them.

#ifndef ONEPACK_RUNTIME_DETACHED_SOURCE_H_
#define ONEPACK_RUNTIME_DETACHED_SOURCE_H_

#include "onepack/allocator.h"
#include "onepack/array.h"
#include "onepack/data_source.h"
#include "runtime/aligned_copy.h"
#include "schema/detached_data.h"

namespace onepack {

class DetachedSource final : public DataSource {
 public:
  // `bytes` are what `file` has under kDetachedKey.
  static Result<Ref<DetachedSource>> Open(const Ref<DataSource>& file, Bytes bytes,
                                          const Allocator& allocator);

  const DetachedData& data() const { return data_; }

  const char* name() const override { return file_->name(); }
  uint64_t size() const override { return data_.size(); }
  // To ask for bytes costs nothing.
  bool is_mapped() const override { return true; }
  bool has_bytes() const override { return false; }
  Result<Buffer> Load(const Segment& range) const override;
  const uint8_t* FindHash(const Segment& range) const override { return data_.FindHash(range); }

  // For MakeRef.
  DetachedSource(Ref<DataSource> file, Ref<AlignedCopy> bytes, const DetachedData& data)
      : file_(std::move(file)), bytes_(std::move(bytes)), data_(data) {}

 private:
  const Ref<DataSource> file_;
  const Ref<AlignedCopy> bytes_;  // that data_ looks at
  const DetachedData data_;
};

}  // namespace onepack

#endif  // ONEPACK_RUNTIME_DETACHED_SOURCE_H_
