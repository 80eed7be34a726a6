#include "delegate/packing/sliced_weight.h"

#include <string.h>

#include <algorithm>
#include <atomic>
#include <new>
#include <utility>

#include "base/checked_math.h"
#include "base/mapping.h"

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

// Of a weight that is just large enough: 4 MB each with the default. Much smaller ones would pay
// for a graph each, and for the pages that the system maps around them.
constexpr size_t kSlices = 16;

// The slices of a weight, each packed by the next worker that is free.
class Slices {
 public:
  // `target` has room for the packed weight.
  Slices(const RawChannels& raw, const SliceLayout& layout, size_t slice_bytes, uint8_t* target)
      : raw_(raw), layout_(layout), target_(target) {
    const size_t blocks = slice_bytes / SliceLayout::kBlock / raw.row_bytes();
    blocks_each_ = std::max<size_t>(blocks, 1);
    const size_t channels_each = blocks_each_ * SliceLayout::kBlock;
    count_ = (raw.count() + channels_each - 1) / channels_each;
  }

  size_t count() const { return count_; }

  // The next slice that is not taken; count() or more when there is none.
  size_t Take() { return next_++; }

  bool Pack(size_t index) const {
    const RawChannels::Run run = RunOf(index);
    const size_t offset = index * blocks_each_ * layout_.block_size;
    const size_t size =
        index + 1 == count_ ? layout_.size - offset : blocks_each_ * layout_.block_size;
    const auto packed = raw_.Pack(run, {target_ + offset, size});
    raw_.Discard(run);
    return packed && packed->size == size;
  }

  // True for the last one.
  bool CountPacked() { return ++packed_ == count_; }

  uint64_t RawBytes(size_t index) const { return RunOf(index).count * raw_.row_bytes(); }

 private:
  RawChannels::Run RunOf(size_t index) const {
    const size_t channels_each = blocks_each_ * SliceLayout::kBlock;
    const size_t first = index * channels_each;
    return {first, std::min(channels_each, raw_.count() - first)};
  }

  const RawChannels& raw_;
  const SliceLayout& layout_;
  uint8_t* const target_;
  size_t blocks_each_;
  size_t count_;
  std::atomic<size_t> next_{0};
  std::atomic<size_t> packed_{0};
};

// What becomes of a claimed key. The worker that packs the last slice commits, and the one that
// fails first gives the claim up, there and then: the thread that loads may be waiting for either.
// Never both, and never at once, because a slice that failed is none that was packed: so there is
// no lock.
class Claim {
 public:
  Claim(PackTransaction& transaction, LayoutTag tag, std::vector<std::shared_ptr<Content>> contents)
      : transaction_(transaction), tag_(tag), contents_(std::move(contents)) {}

  // All slices are packed.
  void Commit() { pin_ = transaction_.Commit(tag_, std::move(contents_)); }

  void GiveUp() {
    if (!is_given_up_.exchange(true)) transaction_.DropClaim();
  }

  bool is_given_up() const { return is_given_up_; }
  PackedWeight TakePin() { return std::move(pin_); }

 private:
  PackTransaction& transaction_;
  const LayoutTag tag_;
  std::vector<std::shared_ptr<Content>> contents_;
  PackedWeight pin_;
  std::atomic<bool> is_given_up_{false};
};

// Until nothing is left, or something went wrong somewhere. `reporter` null: nothing is reported.
void PackSlices(Slices& slices, Claim& claim, LoadReporter* reporter,
                std::atomic<uint64_t>& reported_bytes) try {
  while (!claim.is_given_up() && (reporter == nullptr || !reporter->is_cancelled())) {
    const size_t index = slices.Take();
    if (index >= slices.count()) return;
    if (!slices.Pack(index)) return claim.GiveUp();
    if (reporter != nullptr) {
      static_cast<void>(reporter->Served(slices.RawBytes(index)));
      reported_bytes += slices.RawBytes(index);
    }
    if (slices.CountPacked()) claim.Commit();
  }
} catch (const std::bad_alloc&) {
  claim.GiveUp();
}

}  // namespace

std::optional<SliceLayout> SliceLayout::Probe(const RawChannels& raw) { return Prober(raw).Run(); }

std::optional<SlicedWeight> SlicedWeight::Open(const Plan& plan, const Weight& weight,
                                               const NodePacker& node_packer) try {
  std::optional<RawChannels> channels = RawChannels::Open(plan, weight, node_packer);
  if (!channels) return std::nullopt;
  const std::optional<SliceLayout> layout = SliceLayout::Probe(*channels);
  if (!layout) return std::nullopt;
  return SlicedWeight(std::move(*channels), *layout);
} catch (const std::bad_alloc&) {
  return std::nullopt;
}

PackedWeight SlicedWeight::Pack(PackTransaction& transaction,
                                std::vector<std::shared_ptr<Content>> contents,
                                const Options& options, LoadReporter& reporter,
                                uint64_t* reported_bytes) const {
  channels_.Prefetch();
  uint8_t* target = transaction.Reserve(layout_.size, PackTransaction::Pages::kAsTouched);
  Claim claim(transaction, layout_.tag, std::move(contents));
  if (target == nullptr) {
    claim.GiveUp();
    return PackedWeight();
  }
  Slices slices(channels_, layout_, options.large_weight_bytes / kSlices, target);
  std::atomic<uint64_t> reported{0};
  const auto work = [&](size_t) { PackSlices(slices, claim, &reporter, reported); };
  const size_t threads = std::min(options.threads, slices.count());
  const bool wants_workers = threads > 1 || reporter.has_listener();
  if (!wants_workers || reporter.RunWorkers(threads, work) == 0) {
    // This thread holds the claim: nothing of the application's is called meanwhile.
    PackSlices(slices, claim, nullptr, reported);
  }
  channels_.DiscardAll();
  *reported_bytes += reported;
  PackedWeight pin = claim.TakePin();
  if (!pin) claim.GiveUp();
  return pin;
}

}  // namespace onepack
