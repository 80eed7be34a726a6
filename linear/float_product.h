// What the parts of MultiplyFloats tell each other.

#ifndef ONEPACK_LINEAR_FLOAT_PRODUCT_H_
#define ONEPACK_LINEAR_FLOAT_PRODUCT_H_

#include <stddef.h>
#include <stdint.h>

#include "base/rounding.h"
#include "linear/linear.h"

namespace onepack::linear {

// Rows of weights are transposed where that is worth it: where they meet many rows of activations,
// or have so few inputs that they would fill few vectors. Else they are read along.
inline constexpr size_t kMaxFewRows = 4;
inline constexpr size_t kMaxFewInputs = 16;
// Several panels of rows that are not longer are made at a time.
inline constexpr size_t kMaxShortRow = 64;

// Outputs that are computed together; parts begin at multiples of the one or the other.
inline constexpr size_t kFloatPanelOutputs = 32;  // two vectors of the largest
inline constexpr size_t kLongRowOutputs = 4;
// Rows that a panel meets at a time.
inline constexpr size_t kPanelTileRows = 6;

struct FloatProduct {
  const float* x = nullptr;
  const Weights* weights = nullptr;
  const Finish* finish = nullptr;
  float* y = nullptr;
  bool takes_panels = false;
};

// Some rows of activations by some rows of weights.
struct FloatPart {
  size_t first_row = 0;
  size_t rows = 0;
  size_t first_output = 0;
  size_t outputs = 0;
};

}  // namespace onepack::linear

#endif  // ONEPACK_LINEAR_FLOAT_PRODUCT_H_
