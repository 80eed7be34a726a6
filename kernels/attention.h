// Scaled dot-product attention of some queries over a cache of keys and values.
//
// The keys are taken in tiles; a running maximum and sum of each query row ("online softmax") make
// a second pass, and memory for all scores, unnecessary. The query heads that share a head of the
// cache are computed together, and where tokens are few so are neighbouring heads of the cache: a
// tile is read once for all of them, in the order of its memory, which decoding spends its time on.
// Which rows are computed together, and by how many threads, does not change a bit of the result.

#ifndef ONEPACK_KERNELS_ATTENTION_H_
#define ONEPACK_KERNELS_ATTENTION_H_

#include <pthreadpool.h>

#include "onepack/tensor.h"

namespace onepack::kernels {

// Makes numbers of quantized integers: (integer - zero point) * scale. Both repeat to the sizes of
// the integers: for each row a pair, say, or for each channel.
struct Dequantization {
  const Tensor* scales = nullptr;
  const Tensor* zero_points = nullptr;
};

struct AttentionInputs {
  const Tensor* query = nullptr;  // [batch, tokens, heads, width]
  const Tensor* key = nullptr;    // [batch, context, cached heads, width]
  const Tensor* value = nullptr;  // as key
  // 1, as above; or 2, where the heads are in dimension 1.
  size_t token_dimension = 1;
  // Of those that are 8-bit integers.
  Dequantization query_dequantization, key_dequantization, value_dequantization;
  // Position of the first query. Without a mask, the keys before and at the last query's count;
  // with one, positions count only where it is causal.
  int64_t start = 0;
  // Null, or [tokens, keys]: added to the scores, or as bools, which keys count.
  const Tensor* mask = nullptr;
  // A query sees no key of a later position than its own.
  bool is_causal = false;
  double scale = 0;  // 0: 1 / sqrt(width)
};

// Writes out, with the sizes of the query. A query that sees no key gives zeros.
// Errors: sizes and types that do not fit together; positions past the context.
Status Attend(const AttentionInputs& inputs, pthreadpool_t threadpool, Tensor& out);

}  // namespace onepack::kernels

#endif  // ONEPACK_KERNELS_ATTENTION_H_
