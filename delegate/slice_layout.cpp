#include "delegate/slice_layout.h"

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
// that and the one before in the same way. Are the bytes and the seeds those that slicing counts
// on?
//
// If so, the slices of a weight are, one after the other, what XNNPACK packs of the whole. A block
// is a whole number of tiles, or else one would not follow the other without a gap; and a tile is
// made from its own channels and depends neither on others nor on where it stands, or else the
// blocks would have come out differently alone and together, first and second. Hence, block by
// block, packing one more adds its tiles and changes nothing before them, up to the whole weight;
// and the whole weight's seed, which has the number of channels in it by exclusive or and nothing
// else that a slice does not share, names those bytes: two equal keys, bit-identical bytes.
class Probe {
 public:
  Probe(const RawMatrix& matrix, xnn_workspace_t workspace)
      : matrix_(matrix), workspace_(workspace) {}

  std::optional<SliceLayout> Run() {
    const size_t channels = matrix_.channels();
    if (channels < 2 * kBlock || !AllocateScratch()) return std::nullopt;
    const auto together = matrix_.Pack({0, 2 * kBlock}, Scratch(0), workspace_);
    if (!together || together->size % (2 * HeapStore::kAlignment) != 0) return std::nullopt;
    SliceLayout layout;
    layout.block_size = together->size / 2;
    const uint32_t rest = together->seed ^ static_cast<uint32_t>(2 * kBlock);
    layout.seed = rest ^ static_cast<uint32_t>(channels);
    const size_t left = channels % kBlock;
    const auto second = JoinSeamlessly(*together, 0, kBlock, layout.block_size, rest);
    if (!second || *second != layout.block_size ||
        !CheckedMultiply(channels / kBlock, layout.block_size, &layout.size)) {
      return std::nullopt;
    }
    if (left == 0) return layout;
    const size_t before = channels - left - kBlock;
    const auto last = matrix_.Pack({before, kBlock + left}, Scratch(0), workspace_);
    if (!last) return std::nullopt;
    const auto rest_size = JoinSeamlessly(*last, before, left, layout.block_size, rest);
    if (!rest_size || !CheckedAdd(layout.size, *rest_size, &layout.size)) return std::nullopt;
    return layout;
  }

 private:
  // Room for two blocks, twice.
  bool AllocateScratch() {
    size_t raw_bytes = 0;
    if (!CheckedMultiply(2 * kBlock * kMaxGrowth, matrix_.row_bytes(), &raw_bytes) ||
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

  // `together`, in the first half of the scratch, is a block from `first` on and `count` channels
  // more: their packed size, if they are that when packed by themselves. The second goes first, so
  // that the first would be seen to write past its end.
  std::optional<size_t> JoinSeamlessly(const RawMatrix::Packed& together, size_t first,
                                       size_t count, size_t block_size, uint32_t rest) {
    const Span<uint8_t> apart = Scratch(1);
    if (block_size > together.size) return std::nullopt;
    const size_t size = together.size - block_size;
    const auto b =
        matrix_.Pack({first + kBlock, count}, apart.subspan(block_size, size), workspace_);
    const auto a = matrix_.Pack({first, kBlock}, apart.subspan(0, block_size), workspace_);
    const bool is_seamless = a && b && a->size == block_size && b->size == size &&
                             (a->seed ^ static_cast<uint32_t>(kBlock)) == rest &&
                             (b->seed ^ static_cast<uint32_t>(count)) == rest &&
                             (together.seed ^ static_cast<uint32_t>(kBlock + count)) == rest &&
                             memcmp(Scratch(0).data(), apart.data(), together.size) == 0;
    if (!is_seamless) return std::nullopt;
    return size;
  }

  const RawMatrix& matrix_;
  const xnn_workspace_t workspace_;
  Mapping scratch_;
  size_t half_ = 0;
};

}  // namespace

std::optional<SliceLayout> ProbeLayout(const RawMatrix& matrix) {
  xnn_workspace_t created = nullptr;
  if (xnn_create_workspace(&created) != xnn_status_success) return std::nullopt;
  const XnnWorkspace workspace(created);
  return Probe(matrix, workspace.get()).Run();
}

}  // namespace onepack
