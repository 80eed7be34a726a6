// A flatbuffer copied out of its file (aligned_copy.h), once for all files with the same bytes that
// are open at the same time: adapters to one foundation have them, whose weights alone differ.
//
// Ownership: counted.
// Threads:   any.

#ifndef ONEPACK_RUNTIME_SHARED_COPY_H_
#define ONEPACK_RUNTIME_SHARED_COPY_H_

#include <stdint.h>

#include <atomic>
#include <utility>

#include "onepack/allocator.h"
#include "onepack/ref.h"
#include "onepack/result.h"
#include "onepack/span.h"
#include "runtime/aligned_copy.h"

namespace onepack {

class SharedCopy final : public RefCounted {
 public:
  // The copy that is in use, or a new one. Memory of an allocator is shared by those that use the
  // same one: it may not live longer than they do.
  static Result<Ref<const SharedCopy>> Of(Bytes bytes, const Allocator& allocator);

  // 16-byte aligned.
  Bytes bytes() const { return copy_->bytes(); }

  // Whether the bytes were verified for a file with segments of so many bytes, which is all that a
  // verifier looks at besides them. (Of programs and data files the bytes differ: they say which of
  // the two they are.)
  bool IsVerifiedFor(uint64_t segment_bytes) const {
    return verified_for_.load(std::memory_order_relaxed) == segment_bytes;
  }
  void SetVerifiedFor(uint64_t segment_bytes) const {
    verified_for_.store(segment_bytes, std::memory_order_relaxed);
  }

  // For MakeRef.
  SharedCopy(Ref<AlignedCopy> copy, const Allocator& allocator)
      : copy_(std::move(copy)), allocator_(allocator) {}
  ~SharedCopy() override;

 private:
  static Ref<const SharedCopy> Find(Bytes bytes, const Allocator& allocator);
  // For both, the list's mutex is held. The first in use after `previous`, which is null or in the
  // list, with so many bytes of that allocator.
  static Ref<const SharedCopy> After(const SharedCopy* previous, size_t size,
                                     const Allocator& allocator);
  void Enlist();

  const Ref<AlignedCopy> copy_;
  const Allocator allocator_;
  // No file has segments of so many bytes.
  mutable std::atomic<uint64_t> verified_for_{UINT64_MAX};
  // In the list of all that are in use, once it is there.
  bool is_listed_ = false;
  SharedCopy* next_ = nullptr;
  SharedCopy* previous_ = nullptr;
};

}  // namespace onepack

#endif  // ONEPACK_RUNTIME_SHARED_COPY_H_
