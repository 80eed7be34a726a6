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

}  // namespace onepack::kernels

#endif  // ONEPACK_KERNELS_SPATIAL_H_
