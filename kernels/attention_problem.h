// What attention is to compute: its operands, found to fit, and the tasks that it is divided into.

#ifndef ONEPACK_KERNELS_ATTENTION_PROBLEM_H_
#define ONEPACK_KERNELS_ATTENTION_PROBLEM_H_

#include "kernels/attention.h"
#include "kernels/strided.h"
#include "kernels/vector_loops.h"

namespace onepack::kernels {

// At a time: keys for the running maximum, of these for all heads, and query rows.
inline constexpr size_t kAttentionTile = 64;
inline constexpr size_t kAttentionStep = 8;
inline constexpr size_t kAttentionRows = 16;
// Rows that are no floats in memory are converted on the stack: so many numbers of queries, of sums
// and of keys or values. Wide rows are fewer at a time.
inline constexpr size_t kConvertedQueries = 16 * 256;
inline constexpr size_t kConvertedKeys = 8 * 256;

// [batch, row, head, width], wherever the tensor has these dimensions.
struct AttentionOperand {
  Strided elements;
  // Of the same sizes; only where the elements are quantized.
  bool is_quantized = false;
  Strided scales;
  Strided zero_points;
};

struct AttentionProblem {
  bool is_causal = false;
  size_t start = 0;  // where causal
  AttentionOperand query, key, value;
  Strided output;
  bool has_mask = false;
  Strided mask;  // [tokens, keys]
  size_t tokens = 0, heads = 0, cached_heads = 0, width = 0;
  size_t keys = 0;  // that may count for any query
  float scale = 1;
  // At a time, as the stack has room.
  size_t most_rows = 0, most_keys = 0;
  // A task is all query rows of so many cached heads, or some rows of one.
  size_t heads_of_task = 0, head_blocks = 0;
  size_t rows_of_task = 0, row_blocks = 0;
  const VectorLoops* loops = nullptr;

  size_t group() const { return heads / cached_heads; }
  size_t tasks() const {
    return static_cast<size_t>(query.elements.sizes[0]) * head_blocks * row_blocks;
  }
};

// Checks the inputs and gives `out` its sizes. Errors: those of Attend.
Status PrepareAttention(const AttentionInputs& inputs, Tensor& out, AttentionProblem* problem);

// REQUIRES: there are queries.
void DivideIntoTasks(size_t threads, AttentionProblem* problem);

}  // namespace onepack::kernels

#endif  // ONEPACK_KERNELS_ATTENTION_PROBLEM_H_
