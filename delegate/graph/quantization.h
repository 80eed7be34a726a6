// What the values of a graph are: one function for each kind of quantization. And where scales are.

#ifndef ONEPACK_DELEGATE_GRAPH_QUANTIZATION_H_
#define ONEPACK_DELEGATE_GRAPH_QUANTIZATION_H_

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "delegate/graph/graph_value.h"
#include "delegate/graph/payload.h"
#include "onepack/result.h"
#include "onepack/span.h"

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

// Scales of one value, as the file has them.
template <typename T>
struct ScaleRef {
  uint32_t buffer_index = 0;        // in the payload's constants; 0: inline
  Span<const T> inline_scales;      // in the payload
  Span<const float> to_be_rounded;  // inline floats that stand for bfloat16
  size_t found = 0;
};

ScaleRef<float> ScalesOf(const wire::xnnpack::PerChannelQuant& quant);
ScaleRef<uint16_t> ScalesOf(const wire::xnnpack::PerChannelGroupQuant& quant);

// Calls function(scales, count) for a value that is quantized per channel or per group, and for no
// other. REQUIRES: a described value.
template <typename Function>
void VisitScales(const GraphValue& value, Function function) {
  const auto* quantized = value.wire->xvalue_union_as_XNNQuantizedTensorValue();
  if (quantized == nullptr) return;
  if (const auto* channel = quantized->quant_params_as_PerChannelQuant()) {
    function(ScalesOf(*channel), value.dim(static_cast<size_t>(channel->channel_dim())));
  } else if (const auto* group = quantized->quant_params_as_PerChannelGroupQuant()) {
    const size_t groups = value.dim(1) / static_cast<size_t>(group->group_size());
    function(ScalesOf(*group), value.dim(0) * groups);
  }
}

// In the payload's constants; 0 for a value without scales there.
uint32_t ScaleIndexOf(const GraphValue& value);

// Reads nothing that is not in the payload itself. `contents` are the identities of its constants,
// by index. kInvalidFile unless there are `expected` scales.
template <typename T>
Result<Digest> IdentityOfScales(const Payload& payload, Span<const Digest> contents,
                                const ScaleRef<T>& scales, size_t expected);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_GRAPH_QUANTIZATION_H_
