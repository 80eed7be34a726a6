// A flatbuffer copied out of its file.
//
// Two reasons: verified bytes must not change behind the verifier's back, which a mapped file
// cannot promise, and flatbuffers reads aligned words. Only directories and graphs are copied,
// never weights.
//
// Ownership: counted, so that views into it can keep it alive.

#ifndef ONEPACK_RUNTIME_ALIGNED_COPY_H_
#define ONEPACK_RUNTIME_ALIGNED_COPY_H_

#include <stdint.h>
#include <string.h>

#include "onepack/array.h"
#include "onepack/ref.h"
#include "onepack/span.h"

namespace onepack {

class AlignedCopy final : public RefCounted {
 public:
  static Result<Ref<AlignedCopy>> Of(Bytes bytes, const Allocator& allocator) {
    if (bytes.size() > kMaxSize) {
      return Status::Error(StatusCode::kInvalidFile,
                           "a flatbuffer of %zu bytes, less than 2 GiB expected", bytes.size());
    }
    ONEPACK_ASSIGN_OR_RETURN(Array<Block> blocks,
                             Array<Block>::Create(allocator, bytes.size() / sizeof(Block) + 1));
    if (!bytes.empty()) memcpy(blocks.data(), bytes.data(), bytes.size());
    return MakeRef<AlignedCopy>(allocator, std::move(blocks), bytes.size());
  }

  // 16-byte aligned.
  Bytes bytes() const { return {reinterpret_cast<const uint8_t*>(blocks_.data()), size_}; }
  // For changes before it is shared.
  uint8_t* data() { return reinterpret_cast<uint8_t*>(blocks_.data()); }

  // Flatbuffers counts in 32 bits, of which one is the sign.
  static constexpr size_t kMaxSize = INT32_MAX;

  struct alignas(16) Block {
    uint8_t bytes[16];
  };

  // For MakeRef.
  AlignedCopy(Array<Block> blocks, size_t size) : blocks_(std::move(blocks)), size_(size) {}

 private:
  Array<Block> blocks_;
  const size_t size_;
};

}  // namespace onepack

#endif  // ONEPACK_RUNTIME_ALIGNED_COPY_H_
