// Asks for memory before it is read.

#ifndef ONEPACK_LINEAR_PREFETCH_H_
#define ONEPACK_LINEAR_PREFETCH_H_

#include "hwy/base.h"

namespace onepack::linear {

// Into the second level of the cache: what comes into the first level too early pushes out rows of
// activations that are still used. Nothing is read, so any address will do. Always inlined, or g++
// would take it for a function without effect.
HWY_INLINE void PrefetchToSecondLevel(const void* address) { __builtin_prefetch(address, 0, 2); }

}  // namespace onepack::linear

#endif  // ONEPACK_LINEAR_PREFETCH_H_
