#include "weight_cache/heap_store.h"

#include <sys/mman.h>

#include <iterator>
#include <new>
#include <utility>

#include "base/checked_math.h"
#include "base/page_size.h"
#include "base/rounding.h"

// The kernel's number. The headers of musl and of older C libraries do not have the name.
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace onepack {
namespace {

// What a block of `size` takes in a chunk.
size_t SlotSize(size_t size) { return RoundUp(size == 0 ? 1 : size, HeapStore::kAlignment); }

}  // namespace

HeapBlock::HeapBlock(HeapBlock&& other) noexcept { *this = std::move(other); }

HeapBlock& HeapBlock::operator=(HeapBlock&& other) noexcept {
  std::swap(store_, other.store_);
  std::swap(chunk_, other.chunk_);
  std::swap(mapping_, other.mapping_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

HeapBlock::~HeapBlock() {
  if (store_ == nullptr) return;
  if (chunk_ != nullptr) {
    store_->FreeInChunk(static_cast<HeapStore::Chunk*>(chunk_), data_, size_);
  } else {
    store_->mapped_bytes_ -= RoundUp(mapping_.size(), PageSize());
  }
}

void HeapBlock::Populate() const {
  const size_t offset_in_page = reinterpret_cast<uintptr_t>(data_) % PageSize();
  // Advisory: an older system than Linux 5.14 refuses it.
  madvise(data_ - offset_in_page, RoundUp(offset_in_page + size_, PageSize()), MADV_POPULATE_WRITE);
}

HeapStore::HeapStore(bool huge_pages)
    : huge_pages_(huge_pages),
      large_block_(huge_pages ? kLargeBlockOfHugePages : kLargeBlock),
      chunk_size_(huge_pages ? kChunkSizeOfHugePages : kChunkSize) {}

std::shared_ptr<HeapStore> HeapStore::Create(bool huge_pages) {
  return std::shared_ptr<HeapStore>(new HeapStore(huge_pages));
}

Result<HeapBlock> HeapStore::Allocate(size_t size) try {
  return size >= large_block_ ? AllocateAlone(size) : AllocateInChunk(size);
} catch (const std::bad_alloc&) {
  return Status::Error(StatusCode::kResourceExhausted, "out of memory for a block of %zu bytes",
                       size);
}

Result<Mapping> HeapStore::Map(size_t size, uint8_t** data) const {
  size_t padded_size = size;
  if (huge_pages_ && !CheckedAdd(size, kHugePage, &padded_size)) {
    return Status::Error(StatusCode::kResourceExhausted, "cannot map %zu bytes of memory", size);
  }
  ONEPACK_ASSIGN_OR_RETURN(Mapping mapping, Mapping::OfZeros(padded_size));
  *data = mapping.data();
  if (huge_pages_) {
    const auto address = reinterpret_cast<uintptr_t>(mapping.data());
    *data += RoundUp(address, kHugePage) - address;
    // Not the rest, which would take a whole one. Advisory: without huge pages everything works
    // the same.
    madvise(*data, size / kHugePage * kHugePage, MADV_HUGEPAGE);
  }
  return mapping;
}

Result<HeapBlock> HeapStore::AllocateAlone(size_t size) {
  HeapBlock block;
  ONEPACK_ASSIGN_OR_RETURN(block.mapping_, Map(size, &block.data_));
  block.store_ = shared_from_this();
  block.size_ = size;
  mapped_bytes_ += RoundUp(block.mapping_.size(), PageSize());
  return block;
}

Result<HeapBlock> HeapStore::AllocateInChunk(size_t size) {
  const std::lock_guard<ForkSafeMutex> lock(mutex_);
  HeapBlock block;
  for (Chunk& chunk : chunks_) {
    if (TakeFrom(chunk, size, &block)) return block;
  }
  Chunk chunk;
  ONEPACK_ASSIGN_OR_RETURN(chunk.mapping, Map(chunk_size_, &chunk.data));
  chunk.free.emplace(0, chunk_size_);
  chunks_.push_front(std::move(chunk));
  mapped_bytes_ += RoundUp(chunks_.front().mapping.size(), PageSize());
  TakeFrom(chunks_.front(), size, &block);
  return block;
}

// First fit. The mutex is held.
bool HeapStore::TakeFrom(Chunk& chunk, size_t size, HeapBlock* block) {
  const size_t slot = SlotSize(size);
  for (auto range = chunk.free.begin(); range != chunk.free.end(); ++range) {
    const auto [offset, available] = *range;
    if (available < slot) continue;
    // The node of the map is used again, so that taking the rest cannot fail half-way.
    auto node = chunk.free.extract(range);
    if (available > slot) {
      node.key() = offset + slot;
      node.mapped() = available - slot;
      chunk.free.insert(std::move(node));
    }
    block->store_ = shared_from_this();
    block->chunk_ = &chunk;
    block->data_ = chunk.data + offset;
    block->size_ = size;
    chunk.used += slot;
    return true;
  }
  return false;
}

void HeapStore::FreeInChunk(Chunk* chunk, uint8_t* data, size_t size) {
  const std::lock_guard<ForkSafeMutex> lock(mutex_);
  const size_t offset = static_cast<size_t>(data - chunk->data);
  chunk->used -= SlotSize(size);
  if (chunk->used == 0) {
    mapped_bytes_ -= RoundUp(chunk->mapping.size(), PageSize());
    chunks_.remove_if([chunk](const Chunk& other) { return &other == chunk; });
    return;
  }
  try {
    AddFree(*chunk, offset, SlotSize(size));
  } catch (const std::bad_alloc&) {
    // This range cannot be taken again until its chunk goes; its pages go now.
    chunk->Discard(offset, SlotSize(size));
  }
}

// Joins the range with its free neighbours. The mutex is held.
void HeapStore::AddFree(Chunk& chunk, size_t offset, size_t size) {
  auto range = chunk.free.emplace(offset, size).first;
  const auto next = std::next(range);
  if (next != chunk.free.end() && offset + size == next->first) {
    range->second += next->second;
    chunk.free.erase(next);
  }
  if (range != chunk.free.begin()) {
    const auto previous = std::prev(range);
    if (previous->first + previous->second == offset) {
      previous->second += range->second;
      chunk.free.erase(range);
      range = previous;
    }
  }
  chunk.Discard(range->first, range->second);
}

}  // namespace onepack
