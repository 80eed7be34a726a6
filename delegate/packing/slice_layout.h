// How XNNPACK lays a large weight out, found by having it pack a few channels of it.

#ifndef ONEPACK_DELEGATE_PACKING_SLICE_LAYOUT_H_
#define ONEPACK_DELEGATE_PACKING_SLICE_LAYOUT_H_

#include <stddef.h>
#include <stdint.h>

#include <optional>

#include "delegate/packing/raw_matrix.h"

namespace onepack {

struct SliceLayout {
  // Channels that are a whole number of XNNPACK's tiles: slices are made of such blocks.
  static constexpr size_t kBlock = 128;

  uint32_t seed = 0;      // that XNNPACK asks for when it looks the whole weight up
  size_t size = 0;        // of the whole weight, packed
  size_t block_size = 0;  // of kBlock channels
};

// Null unless XNNPACK packs blocks of the weight as slicing counts on (slice_layout.cpp has the
// argument). May throw std::bad_alloc.
std::optional<SliceLayout> ProbeLayout(const RawMatrix& matrix);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PACKING_SLICE_LAYOUT_H_
