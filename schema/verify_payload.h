// Checks the graph of an XNNPACK payload once, as far as one can without knowing what its nodes
// mean.
//
// After VerifyPayload succeeded, every union holds a member of its type, every value has as many
// dims as it says (at most kMaxGraphRank), every constant is named or lies inside the payload's
// constant region, and every index of a constant is in range. What nodes need of their values is
// checked by the delegate, node by node.
//
// Errors: kInvalidFile.

#ifndef ONEPACK_SCHEMA_VERIFY_PAYLOAD_H_
#define ONEPACK_SCHEMA_VERIFY_PAYLOAD_H_

#include "onepack/result.h"
#include "onepack/span.h"
#include "schema/payload_header.h"
#include "xnnpack_graph_generated.h"

namespace onepack {

// XNN_MAX_TENSOR_DIMS.
inline constexpr size_t kMaxGraphRank = 6;

// `flatbuffer` must be 16-byte aligned and must not change while the result is used.
Result<const wire::xnnpack::XNNGraph*> VerifyPayload(Bytes flatbuffer, const PayloadHeader& header);

// Checks the list of constants and their keys, and nothing else of the graph. The list is empty or
// null in old files, which have the constants in the graph. The result must not be used after any
// byte of `flatbuffer` has changed: parts of a graph may overlap, so that a byte of a key may be
// one of the list.
using ConstantList = flatbuffers::Vector<flatbuffers::Offset<wire::xnnpack::ConstantDataOffset>>;
Result<const ConstantList*> VerifyConstantList(Bytes flatbuffer, const PayloadHeader& header);

// REQUIRES, for all below: a verified graph.

// The tensor in either kind of value.
const wire::xnnpack::XNNTensorValue& TensorOf(const wire::xnnpack::XValue& value);

// Empty for a scalar.
Span<const uint32_t> DimsOf(const wire::xnnpack::XNNTensorValue& tensor);

// How many constants there are, wherever this file keeps them. Index 0 stands for none.
size_t ConstantCount(const wire::xnnpack::XNNGraph& graph);

}  // namespace onepack

#endif  // ONEPACK_SCHEMA_VERIFY_PAYLOAD_H_
