// How operators that only move elements leave their result.

#ifndef ONEPACK_KERNELS_RESULT_H_
#define ONEPACK_KERNELS_RESULT_H_

#include "kernels/strided.h"

namespace onepack::kernels {

// Sets the sizes of `out` to those of `view`. Errors: those of Resize; a size past 2^31.
Status ResizeTo(const Strided& view, Tensor& out);

// Whether elements of one can be copied to the other: they are of one type, or numbers. Errors:
// kUnsupported.
Status CheckConvertible(const Tensor& from, const Tensor& to);

// Makes `out` what `view`, elements of `source`, shows: by copying them, or where that is safe and
// pays, without.
//
// Only a constant's elements can be shown in place: they stay what they are as long as the method.
// The memory plan of a program gives source and copy a place each, and hands the source's place to
// another tensor after its last use, which may be before the last use of the copy.
Status WriteView(const Tensor& source, const Strided& view, Tensor& out);

// Whether showing a constant in place saves more than it costs.
bool IsWorthAView(const Tensor& out);

// Copies all of `source` in logical order to `out`, whose sizes were set and multiply to the same
// count. Errors: neither of the two is contiguous.
Status CopyReshaped(const Tensor& source, Tensor& out);

// The elements of `tensor` repeated to the sizes of `like`, as PyTorch broadcasts.
Status BroadcastTo(const Tensor& tensor, const Strided& like, Strided* view);

// Broadcasting makes more elements than there is memory for, of a file of a few bytes too; a
// loop over them that stores nothing for each is not bounded by the plan of memory. Errors: `sizes`
// are more than kMostRepeats elements, and more than each of `a` and `b` has.
constexpr int64_t kMostRepeats = int64_t{1} << 22;
Status CheckRepeats(const Strided& sizes, const Tensor& a, const Tensor& b);

// The elements that `start` to `end` by `step` mean in a dimension, as Python slices.
struct SliceRange {
  int64_t start = 0;
  int64_t length = 0;
};
SliceRange ResolveSlice(const int64_t* start, const int64_t* end, int64_t step, int64_t size);

}  // namespace onepack::kernels

#endif  // ONEPACK_KERNELS_RESULT_H_
