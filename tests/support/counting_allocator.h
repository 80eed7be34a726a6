// An allocator that counts.

#ifndef ONEPACK_TESTS_SUPPORT_COUNTING_ALLOCATOR_H_
#define ONEPACK_TESTS_SUPPORT_COUNTING_ALLOCATOR_H_

#include <stddef.h>

#include "onepack/allocator.h"

namespace onepack {

// Counts what is allocated and not given back.
struct CountingAllocator {
  size_t bytes = 0;

  Allocator allocator() {
    return {[](void* context, size_t size, size_t alignment) {
              static_cast<CountingAllocator*>(context)->bytes += size;
              return HeapAllocator().Allocate(size, alignment);
            },
            [](void* context, void* pointer, size_t size) {
              static_cast<CountingAllocator*>(context)->bytes -= size;
              HeapAllocator().Deallocate(pointer, size);
            },
            this};
  }
};

}  // namespace onepack

#endif  // ONEPACK_TESTS_SUPPORT_COUNTING_ALLOCATOR_H_
