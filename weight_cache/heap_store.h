// Memory for packed weights: anonymous mappings, which go back to the operating system and not just to the heap.

#ifndef ONEPACK_WEIGHT_CACHE_HEAP_STORE_H_
#define ONEPACK_WEIGHT_CACHE_HEAP_STORE_H_

#include "base/mapping.h"

namespace onepack {

// Page-aligned, hence aligned for every vector XNNPACK loads (64 bytes). Move-only; unmapped with its owner.
using HeapBlock = Mapping;

}  // namespace onepack

#endif  // ONEPACK_WEIGHT_CACHE_HEAP_STORE_H_
