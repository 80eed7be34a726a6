// What the values of a graph are: one function for each kind of quantization.

#ifndef ONEPACK_DELEGATE_GRAPH_QUANTIZATION_H_
#define ONEPACK_DELEGATE_GRAPH_QUANTIZATION_H_

#include "base/digest.h"
#include "base/result.h"
#include "base/span.h"
#include "delegate/graph/graph_value.h"
#include "delegate/graph/payload.h"

namespace onepack {

// Bytes that the elements take as a constant; 4-bit ones stand two in a byte, and rows begin at a
// whole one. kInvalidFile when it is none or overflows, kUnsupported for a datatype that no
// constant has.
Result<size_t> ConstantSizeBytes(const wire::xnnpack::XNNTensorValue& tensor);

// Fills in the quantization parameters, and of a constant what its bytes are the same as:
// `contents` are the identities of the payload's constants, by index (that of 0 is not used).
// Checks all parameters but the scales' numbers, and reads no scale that is not in the payload.
// Errors: kInvalidFile for parameters that XNNPACK would take unchecked; kUnsupported names the
// datatype.
Status DescribeValue(const Payload& payload, Span<const Digest> contents, GraphValue& value);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_GRAPH_QUANTIZATION_H_
