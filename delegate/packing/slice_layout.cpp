#include "delegate/packing/slice_layout.h"

#include <string.h>

#include <utility>

#include "base/checked_math.h"
#include "base/mapping.h"
#include "weight_cache/heap_store.h"

namespace onepack {
namespace {

constexpr size_t kBlock = SliceLayout::kBlock;

// What raw bytes may become when they are packed, at most: rows of a few bytes are padded most.
constexpr size_t kMaxGrowth = 8;
constexpr size_t kMaxPaddingPerChannel = 256;

// Packs the first two blocks together and each by itself; and, where the last block is not whole,
// that and the one before in the same way. Are the bytes and the tags those that slicing counts on?
//
// If so, the slices of a weight are, one after the other, what is packed of the whole. A block is a
// whole number of tiles, or else one would not follow the other without a gap; and a tile is made
// from its own channels and depends neither on others nor on where it stands, or else the blocks
// would have come out differently alone and together, first and second. Hence, block by block,
// packing one more adds its tiles and changes nothing before them, up to the whole weight: equal
// keys still mean bit-identical bytes. (Should the whole weight's tag not be what XNNPACK asks for,
// it is not served.)
class Prober {
 public:
  explicit Prober(const RawChannels& raw) : raw_(raw) {}

  std::optional<SliceLayout> Run() {
    const size_t channels = raw_.count();
    if (channels < 2 * kBlock || !AllocateScratch()) return std::nullopt;
    const auto two = raw_.Pack({0, 2 * kBlock}, Scratch(0));
    if (!two || two->size % (2 * HeapStore::kAlignment) != 0) return std::nullopt;
    SliceLayout layout;
    layout.block_size = block_size_ = two->size / 2;
    layout.tag = whole_tag_ = raw_.WholeTag(*two, 2 * kBlock);
    if (!IsJoined(*two, 0, kBlock) ||
        !CheckedMultiply(channels / kBlock, block_size_, &layout.size)) {
      return std::nullopt;
    }
    const size_t left = channels % kBlock;
    if (left == 0) return layout;
    const size_t first = channels - left - kBlock;
    const auto last = raw_.Pack({first, kBlock + left}, Scratch(0));
    if (!last || !IsJoined(*last, first, left) ||
        !CheckedAdd(layout.size, last->size - block_size_, &layout.size)) {
      return std::nullopt;
    }
    return layout;
  }

 private:
  // Room for two blocks, twice.
  bool AllocateScratch() {
    size_t raw_bytes = 0;
    if (!CheckedMultiply(2 * kBlock * kMaxGrowth, raw_.row_bytes(), &raw_bytes) ||
        !CheckedAdd(raw_bytes, 2 * kBlock * kMaxPaddingPerChannel, &half_)) {
      return false;
    }
    half_ = half_ / HeapStore::kAlignment * HeapStore::kAlignment;
    size_t size = 0;
    if (!CheckedMultiply<size_t>(half_, 2, &size)) return false;
    auto mapped = Mapping::OfZeros(size);
    if (!mapped.ok()) return false;
    scratch_ = std::move(mapped).value();
    return true;
  }

  Span<uint8_t> Scratch(size_t index) { return {scratch_.data() + index * half_, half_}; }

  // `together`, in the first half of the scratch, is the block from `first` on and `count` channels
  // more: is it the two as they are packed each by itself? The second goes first, so that the first
  // would be seen to write past its end.
  bool IsJoined(const NodePacker::Packed& together, size_t first, size_t count) {
    if (together.size < block_size_) return false;
    const size_t size = together.size - block_size_;
    const Span<uint8_t> apart = Scratch(1);
    const auto b = raw_.Pack({first + kBlock, count}, apart.subspan(block_size_, size));
    const auto a = raw_.Pack({first, kBlock}, apart.subspan(0, block_size_));
    return a && b && a->size == block_size_ && b->size == size &&
           raw_.WholeTag(*a, kBlock) == whole_tag_ && raw_.WholeTag(*b, count) == whole_tag_ &&
           raw_.WholeTag(together, kBlock + count) == whole_tag_ &&
           memcmp(Scratch(0).data(), apart.data(), together.size) == 0;
  }

  const RawChannels& raw_;
  Mapping scratch_;
  size_t half_ = 0;
  size_t block_size_ = 0;
  LayoutTag whole_tag_ = 0;
};

}  // namespace

std::optional<SliceLayout> SliceLayout::Probe(const RawChannels& raw) { return Prober(raw).Run(); }

}  // namespace onepack
