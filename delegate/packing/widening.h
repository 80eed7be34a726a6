// Raw weights in a wider datatype: for those that XNNPACK has no kernel for.

#ifndef ONEPACK_DELEGATE_PACKING_WIDENING_H_
#define ONEPACK_DELEGATE_PACKING_WIDENING_H_

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "delegate/graph/graph_value.h"

namespace onepack {

// From 16 bits to 32, from 4 to 8.
inline constexpr size_t kWidening = 2;

// fp16 and bf16 become fp32, 4-bit integers 8-bit ones. `raw` are the bytes of `value`, and may lie
// in the second half of the output, which has kWidening times as many.
void Widen(const GraphValue& value, Bytes raw, uint8_t* to);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PACKING_WIDENING_H_
