// How a run of bytes is read as a tensor: element type, sizes, and the order the dimensions are
// stored in.

#ifndef ONEPACK_TENSOR_LAYOUT_H_
#define ONEPACK_TENSOR_LAYOUT_H_

#include <stddef.h>
#include <stdint.h>

#include "onepack/export.h"
#include "onepack/result.h"
#include "onepack/scalar_type.h"
#include "onepack/span.h"

namespace onepack {

// More than any exporter writes; keeps sizes on the stack where they are copied.
inline constexpr size_t kMaxTensorRank = 16;

// A view. `dim_order[i]` is the dimension stored i-th, outermost first; {0, 1, 2, 3} is contiguous,
// {0, 2, 3, 1} channels last.
struct TensorLayout {
  ScalarType scalar_type = ScalarType::kFloat;
  Span<const int32_t> sizes;
  Span<const uint8_t> dim_order;
};

// Whether the same bytes are the same tensor in both: equal types and sizes, and every element in
// the same place. A dimension of size 1 may stand anywhere in a dim order, because nothing steps
// along it, and where there are no elements all orders are the same.
ONEPACK_API bool SameLayout(const TensorLayout& a, const TensorLayout& b);

// "float32 [64, 128]", with " dim_order [1, 0]" where it is not contiguous.
class ONEPACK_API LayoutText {
 public:
  explicit LayoutText(const TensorLayout& layout);
  const char* c_str() const { return text_; }

 private:
  char text_[512];
};

// The bytes of such a tensor, or what is wrong with it: an unknown element type, a rank above
// kMaxTensorRank, a negative size, a dim_order that is no permutation, a product that overflows.
ONEPACK_API Result<size_t> VerifiedSizeBytes(const TensorLayout& layout);

}  // namespace onepack

#endif  // ONEPACK_TENSOR_LAYOUT_H_
