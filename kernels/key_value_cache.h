// The keys and values of the tokens so far, which attention reads.

#ifndef ONEPACK_KERNELS_KEY_VALUE_CACHE_H_
#define ONEPACK_KERNELS_KEY_VALUE_CACHE_H_

#include "onepack/tensor.h"

namespace onepack::kernels {

// Copies value, [batch, tokens, ...], into cache, [batch, context, ...], from position `start` on.
// Errors: another type or other sizes; positions past the context.
Status StoreInCache(const Tensor& value, int64_t start, Tensor& cache);

}  // namespace onepack::kernels

#endif  // ONEPACK_KERNELS_KEY_VALUE_CACHE_H_
