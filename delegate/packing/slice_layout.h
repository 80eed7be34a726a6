// How a large weight is laid out when it is packed, found by packing a few channels of it.

#ifndef ONEPACK_DELEGATE_PACKING_SLICE_LAYOUT_H_
#define ONEPACK_DELEGATE_PACKING_SLICE_LAYOUT_H_

#include <stddef.h>

#include <optional>

#include "delegate/packing/raw_channels.h"
#include "weight_cache/pack_key.h"

namespace onepack {

struct SliceLayout {
  // Channels that are a whole number of tiles: slices are made of such blocks.
  static constexpr size_t kBlock = 128;

  // Null unless blocks of the weight are packed as slicing counts on (slice_layout.cpp has the
  // argument). May throw std::bad_alloc.
  static std::optional<SliceLayout> Probe(const RawChannels& raw);

  LayoutTag tag = 0;      // of the whole weight
  size_t size = 0;        // of the whole weight, packed
  size_t block_size = 0;  // of kBlock channels
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PACKING_SLICE_LAYOUT_H_
