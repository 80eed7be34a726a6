#include "delegate/packing/sliced_weight.h"

#include <algorithm>
#include <atomic>
#include <new>
#include <utility>

#include "delegate/packing/workers.h"

namespace onepack {
namespace {

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
  if (!wants_workers || RunWorkers(threads, reporter, work) == 0) {
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
