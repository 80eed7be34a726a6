// Memory for packed weights that goes back to the operating system, and not just to a heap.
//
// A large block is a mapping of its own. Small ones (a bias, an adapter of rank 4) share chunks, so
// that none costs a page; what becomes free inside a chunk is given back page by page, and the
// chunk itself with its last block.
//
// Ownership: a block keeps its store. Blocks never move.
// Threads:   any.
// Errors:    kResourceExhausted.

#ifndef ONEPACK_WEIGHT_CACHE_HEAP_STORE_H_
#define ONEPACK_WEIGHT_CACHE_HEAP_STORE_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>
#include <list>
#include <map>
#include <memory>

#include "base/fork_safe_mutex.h"
#include "base/mapping.h"
#include "onepack/result.h"
#include "onepack/span.h"

namespace onepack {

class HeapStore;

// Move-only; gives its bytes back when it goes.
class HeapBlock {
 public:
  HeapBlock() = default;
  HeapBlock(HeapBlock&& other) noexcept;
  HeapBlock& operator=(HeapBlock&& other) noexcept;
  ~HeapBlock();

  // Aligned to HeapStore::kAlignment. What a new block holds is anything: XNNPACK clears what it is
  // given.
  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  Bytes bytes() const { return {data_, size_}; }

  // Asks the system for all of its pages in one call instead of a page fault for each. Advisory.
  void Populate() const;

 private:
  friend class HeapStore;

  std::shared_ptr<HeapStore> store_;
  void* chunk_ = nullptr;  // null for a block with a mapping of its own
  Mapping mapping_;
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

class HeapStore : public std::enable_shared_from_this<HeapStore> {
 public:
  // XNNPACK's alignment for packed weights, and a cache line.
  static constexpr size_t kAlignment = 64;
  // Blocks of at least this size stand alone: the rest of their last page is below 2 % of them.
  static constexpr size_t kLargeBlock = 256 * 1024;
  static constexpr size_t kChunkSize = 1024 * 1024;

  // With huge pages, the part of a large block that does not fill one stays in small pages, and
  // more blocks share chunks, so that no block wastes one.
  static constexpr size_t kHugePage = 2 * 1024 * 1024;
  static constexpr size_t kLargeBlockOfHugePages = 8 * kHugePage;
  static constexpr size_t kChunkSizeOfHugePages = 16 * kHugePage;

  // `huge_pages` asks the kernel for transparent huge pages.
  static std::shared_ptr<HeapStore> Create(bool huge_pages);

  Result<HeapBlock> Allocate(size_t size);

  // Address space taken for blocks now, their page and chunk rounding included.
  size_t mapped_bytes() const { return mapped_bytes_; }

 private:
  friend class HeapBlock;

  struct Chunk {
    void Discard(size_t offset, size_t size) const {
      mapping.Discard(static_cast<size_t>(data - mapping.data()) + offset, size);
    }

    Mapping mapping;
    uint8_t* data = nullptr;        // in `mapping`
    size_t used = 0;                // bytes of live blocks; the chunk goes when it is 0
    std::map<size_t, size_t> free;  // offset → size; disjoint, never adjacent
  };

  explicit HeapStore(bool huge_pages);

  // With room for `size` bytes at `*data`: at a page, or at a huge page where they are wanted.
  Result<Mapping> Map(size_t size, uint8_t** data) const;
  Result<HeapBlock> AllocateAlone(size_t size);
  Result<HeapBlock> AllocateInChunk(size_t size);
  bool TakeFrom(Chunk& chunk, size_t size, HeapBlock* block);
  void FreeInChunk(Chunk* chunk, uint8_t* data, size_t size);
  static void AddFree(Chunk& chunk, size_t offset, size_t size);

  const bool huge_pages_;
  const size_t large_block_;
  const size_t chunk_size_;
  std::atomic<size_t> mapped_bytes_{0};

  ForkSafeMutex mutex_;      // leaf lock
  std::list<Chunk> chunks_;  // guarded by mutex_
};

}  // namespace onepack

#endif  // ONEPACK_WEIGHT_CACHE_HEAP_STORE_H_
