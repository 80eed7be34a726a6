// The sizes of windows that move over one to three spatial dimensions.

#ifndef ONEPACK_KERNELS_SPATIAL_H_
#define ONEPACK_KERNELS_SPATIAL_H_

#include "kernels/arguments.h"
#include "kernels/strided.h"

namespace onepack::kernels {

inline constexpr size_t kMaxSpatial = 3;

// A list with one number for each of `count` dimensions, or one for all, or none for `otherwise`.
// Each between `lowest` and 2^31 - 1, so that products of two fit 64 bits. Fills `values` from its
// end, so that the last dimension is always at index 2; the dimensions that are missing get
// `otherwise`.
Status ReadSpatial(const IntList& given, size_t count, const char* name, int64_t lowest,
                   int64_t otherwise, int64_t (&values)[kMaxSpatial]);

// The tensor with dimensions [batch, channels, three spatial ones], adding those of one element.
// REQUIRES: rank 2 to 5.
Strided WithThreeSpatial(Strided tensor);

// The offset of an element of images: [batch, channels, ..., height, width], whatever is between
// has one element.
inline int64_t Place(const Strided& images, int64_t n, int64_t c, int64_t y, int64_t x) {
  return n * images.strides[0] + c * images.strides[1] + y * images.strides[images.rank - 2] +
         x * images.strides[images.rank - 1];
}

// visit(batch, channel, y, x) for each element of images.
template <typename Visit>
void ForEachPixel(const Strided& images, Visit visit) {
  if (images.count() == 0) return;
  for (int64_t n = 0; n < images.sizes[0]; ++n) {
    for (int64_t c = 0; c < images.sizes[1]; ++c) {
      for (int64_t y = 0; y < images.sizes[images.rank - 2]; ++y) {
        for (int64_t x = 0; x < images.sizes[images.rank - 1]; ++x) visit(n, c, y, x);
      }
    }
  }
}

}  // namespace onepack::kernels

#endif  // ONEPACK_KERNELS_SPATIAL_H_
