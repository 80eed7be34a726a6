// The bytes of a packed weight, wherever they are: in a block of memory that is theirs, in one that
// they share with whoever writes them to a file, or in a mapped file.

#ifndef ONEPACK_WEIGHT_CACHE_PACKED_BYTES_H_
#define ONEPACK_WEIGHT_CACHE_PACKED_BYTES_H_

#include <stddef.h>

#include <memory>
#include <utility>

#include "onepack/span.h"
#include "weight_cache/heap_store.h"

namespace onepack {

class PackedBytes {
 public:
  PackedBytes() = default;
  explicit PackedBytes(HeapBlock block) : size_(block.size()), block_(std::move(block)) {}
  // In a file, which `owner` keeps mapped. May throw std::bad_alloc.
  PackedBytes(Bytes bytes, std::shared_ptr<const void> owner)
      : size_(bytes.size()), kept_(new Kept{bytes, std::move(owner), bytes.size()}) {}

  Bytes bytes() const { return kept_ == nullptr ? block_.bytes() : kept_->bytes; }
  size_t size() const { return size_; }
  // Those of a file.
  size_t file_size() const { return kept_ == nullptr ? 0 : kept_->file_size; }

  // What keeps the bytes from now on, here and elsewhere. May throw std::bad_alloc, with nothing
  // changed.
  std::shared_ptr<const void> Share() {
    if (kept_ == nullptr) {
      const Bytes bytes = block_.bytes();
      std::unique_ptr<Kept> kept(new Kept{bytes, nullptr, 0});
      kept->owner = std::make_shared<HeapBlock>(std::move(block_));
      kept_ = std::move(kept);
    }
    return kept_->owner;
  }

 private:
  struct Kept {
    Bytes bytes;
    std::shared_ptr<const void> owner;
    size_t file_size;
  };

  size_t size_ = 0;
  HeapBlock block_;             // empty where others keep the bytes
  std::unique_ptr<Kept> kept_;  // null where nobody else does, as without a packed file
};

}  // namespace onepack

#endif  // ONEPACK_WEIGHT_CACHE_PACKED_BYTES_H_
