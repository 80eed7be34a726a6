// The values of a graph: what they are, and their definition in an XNNPACK subgraph. One pair of
// functions for each kind of quantization.

#ifndef ONEPACK_DELEGATE_GRAPH_QUANTIZATION_H_
#define ONEPACK_DELEGATE_GRAPH_QUANTIZATION_H_

#include "base/result.h"
#include "delegate/graph/datatypes.h"
#include "delegate/graph/graph_value.h"
#include "delegate/graph/payload.h"
#include "delegate/graph/scales.h"

namespace onepack {

// Bytes that the elements take as a constant; 4-bit ones stand two in a byte, and
// rows begin at a whole one. kInvalidFile when it
// is none or overflows, kUnsupported for a datatype that no constant has.
Result<size_t> ConstantSizeBytes(const wire::xnnpack::XNNTensorValue& tensor);

// Fills in value.quant_params. Checks all of them but the scales' numbers, and reads no scale that
// is not in the payload. Errors:
// kInvalidFile for parameters that XNNPACK would take unchecked; kUnsupported names the datatype.
Status DescribeValue(const Payload& payload, GraphValue& value);

// Defines a described value and fills its xnn_id. `value.data` is set for a constant. Of a slice
// the scales are those that it has; XNNPACK checks them, and refuses any that are not positive and
// finite.
Status DefineValue(xnn_subgraph_t subgraph, const Payload& payload, ScaleStorage& storage,
                   GraphValue& value);

// In the payload's constants; 0 for a value without scales there.
uint32_t ScaleIndexOf(const GraphValue& value);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_GRAPH_QUANTIZATION_H_
