#include "onepack/allocator.h"

#include <stdlib.h>

namespace onepack {
namespace {

void* AllocateFromHeap(void* /*context*/, size_t size, size_t alignment) {
  if (alignment <= alignof(max_align_t)) return malloc(size);
  void* pointer = nullptr;
  return posix_memalign(&pointer, alignment, size) == 0 ? pointer : nullptr;
}

void DeallocateToHeap(void* /*context*/, void* pointer, size_t /*size*/) { free(pointer); }

}  // namespace

Allocator HeapAllocator() { return Allocator{AllocateFromHeap, DeallocateToHeap, nullptr}; }

}  // namespace onepack
