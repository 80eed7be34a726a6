// The scales of quantized values: where they are, and what they are the same as.

#ifndef ONEPACK_DELEGATE_GRAPH_SCALES_H_
#define ONEPACK_DELEGATE_GRAPH_SCALES_H_

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/result.h"
#include "base/span.h"
#include "delegate/graph/payload.h"
#include "xnnpack_graph_generated.h"

namespace onepack {

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

// Reads nothing that is not in the payload itself. `contents` are the identities of its constants,
// by index. kInvalidFile unless there are `expected` scales.
template <typename T>
Result<Digest> IdentityOfScales(const Payload& payload, Span<const Digest> contents,
                                const ScaleRef<T>& scales, size_t expected);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_GRAPH_SCALES_H_
