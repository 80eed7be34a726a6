// Nodes and values that not every XNNPACK defines by the same call.

#ifndef ONEPACK_DELEGATE_XNN_DEFINITIONS_H_
#define ONEPACK_DELEGATE_XNN_DEFINITIONS_H_

#include <stddef.h>
#include <stdint.h>

#include "delegate/xnn/xnnpack.h"
#include "onepack/result.h"
#include "onepack/span.h"

namespace onepack {

// An internal value of XNNPACK's, between two nodes that stand for one node of the file.
// For datatypes without quantization.
Result<uint32_t> DefineBetween(xnn_subgraph_t subgraph, xnn_datatype datatype, size_t rank);

// Of 2 to 5 values.
xnn_status DefineConcatenation(xnn_subgraph_t subgraph, int32_t axis, Span<const uint32_t> inputs,
                               uint32_t output);

// `before` and `after` have an element for each of `rank` dims.
xnn_status DefineConstantPadding(xnn_subgraph_t subgraph, size_t rank, const size_t* before,
                                 const size_t* after, float value, uint32_t input, uint32_t output);

struct AttentionValues {
  xnn_datatype datatype;  // of all of them: fp32 or fp16
  size_t query_rank;
  size_t key_rank;  // as query_rank, or less by one: keys and values have no heads
  uint32_t query;
  uint32_t key;
  uint32_t value;
  uint32_t scale;
  uint32_t mask;
  uint32_t output;
};

// softmax((query * scale) key^T + mask) value. One node, or several where kComposesAttention.
Status DefineAttention(xnn_subgraph_t subgraph, const AttentionValues& values);

// The same of several nodes.
Status ComposeAttention(xnn_subgraph_t subgraph, const AttentionValues& values);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_XNN_DEFINITIONS_H_
