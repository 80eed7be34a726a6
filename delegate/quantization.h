// Defining a graph's values in an XNNPACK subgraph: one function for each kind of quantization.

#ifndef ONEPACK_DELEGATE_QUANTIZATION_H_
#define ONEPACK_DELEGATE_QUANTIZATION_H_

#include <memory>
#include <vector>

#include "base/result.h"
#include "delegate/graph_value.h"
#include "delegate/payload.h"
#include "weight_cache/digest.h"

namespace onepack {

// XNNPACK reads scales when a runtime is created: they are kept here until then.
struct ScaleStorage {
  std::vector<Buffer> loaded;                  // used where they are
  std::vector<std::vector<float>> floats;      // copied, because they were not aligned
  std::vector<std::vector<uint16_t>> bfloats;  // copied or rounded
};

struct ValueContext {
  xnn_subgraph_t subgraph;
  const Payload& payload;
  ScaleStorage& scales;
};

// Bytes that `value`'s elements take as a constant; 4-bit elements stand two in a byte. kInvalidFile on overflow,
// kUnsupported for a datatype that no value here has.
Result<size_t> ConstantSizeBytes(const wire::xnnpack::XNNTensorValue& tensor);

// "qbint4".
const char* DatatypeName(wire::xnnpack::XNNDatatype datatype);

// Defines `value` and fills its xnn_id and description. `value.data` must be set for a constant.
// Errors: kInvalidFile for parameters that XNNPACK would take unchecked (scales that are not finite and positive, counts
// that do not match the dims); kUnsupported names a datatype that is not supported.
Status DefineValue(const ValueContext& context, GraphValue& value);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_QUANTIZATION_H_
