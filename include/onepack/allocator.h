// Where the core runtime's memory comes from: three words that the application may replace.

#ifndef ONEPACK_ALLOCATOR_H_
#define ONEPACK_ALLOCATOR_H_

#include <stddef.h>

#include "onepack/export.h"

namespace onepack {

// A value; copies refer to the same allocator. `context` must outlive all that was allocated.
// Threads: both functions may be called from any thread.
struct Allocator {
  // `alignment` is a power of two. Null when there is no memory.
  void* (*allocate)(void* context, size_t size, size_t alignment);
  // `size` is what was asked for.
  void (*deallocate)(void* context, void* pointer, size_t size);
  void* context;

  // An allocator that lacks a function has no memory.
  void* Allocate(size_t size, size_t alignment) const {
    if (allocate == nullptr || deallocate == nullptr) return nullptr;
    return allocate(context, size, alignment);
  }
  void Deallocate(void* pointer, size_t size) const { deallocate(context, pointer, size); }
};

// The C heap.
ONEPACK_API Allocator HeapAllocator();

}  // namespace onepack

#endif  // ONEPACK_ALLOCATOR_H_
