// Values in an XNNPACK subgraph. Nothing is decided here: what XNNPACK is shown, the caller says.

#ifndef ONEPACK_DELEGATE_OPS_DEFINE_VALUE_H_
#define ONEPACK_DELEGATE_OPS_DEFINE_VALUE_H_

#include <stdint.h>

#include "delegate/graph/graph_value.h"
#include "delegate/graph/shape.h"
#include "delegate/xnn/xnnpack.h"
#include "onepack/result.h"

namespace onepack {

// XNNPACK's number for it, which is not always the file's.
xnn_datatype XnnDatatypeOf(wire::xnnpack::XNNDatatype datatype);

// What XNNPACK is shown of a value. It reads `data` and `scales` until it has packed them, and
// constants in place for as long as the runtime lives.
struct ShownValue {
  wire::xnnpack::XNNDatatype datatype;  // of the tensor in the file, or a wider one
  Shape dims;                           // the bound, ones, or a run of channels
  const void* data = nullptr;           // of a constant
  // Of a constant quantized per channel (float) or per group (bfloat16), as many as `dims` ask for.
  // XNNPACK refuses any that are not positive and finite.
  const void* scales = nullptr;
  uint32_t external_id = kNoValue;
  uint32_t flags = 0;  // XNN_VALUE_FLAG_*
};

// The XNNPACK id of the value; of one that is quantized on entry, that of the quantized value.
// Errors: XNNPACK's own. REQUIRES: a described value.
Result<uint32_t> DefineValue(xnn_subgraph_t subgraph, const GraphValue& value,
                             const ShownValue& shown);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_OPS_DEFINE_VALUE_H_
