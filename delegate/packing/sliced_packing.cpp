#include "delegate/packing/sliced_packing.h"

#include <algorithm>
#include <atomic>
#include <new>
#include <optional>

#include "delegate/packing/packing_workers.h"
#include "delegate/packing/raw_matrix.h"
#include "delegate/packing/slice_layout.h"
#include "delegate/xnn/handles.h"
#include "weight_cache/pack_transaction.h"

namespace onepack {
namespace {

// Of a weight that is just large enough: 4 MB each with the default. Much smaller ones would pay
// for a graph each, and for the pages that the system maps around them.
constexpr size_t kSlices = 16;

// The slices of a weight, each packed by whoever comes next.
class Slices {
 public:
  // `target` has room for the packed weight.
  Slices(const RawMatrix& matrix, const SliceLayout& layout, size_t slice_bytes, uint8_t* target)
      : matrix_(matrix), layout_(layout), target_(target) {
    const size_t blocks = slice_bytes / SliceLayout::kBlock / matrix.row_bytes();
    blocks_each_ = std::max<size_t>(blocks, 1);
    const size_t channels_each = blocks_each_ * SliceLayout::kBlock;
    count_ = (matrix.channels() + channels_each - 1) / channels_each;
  }

  size_t count() const { return count_; }

  // The next slice that nobody has taken; count() or more when there is none.
  size_t Take() { return next_++; }

  bool Pack(size_t index, xnn_workspace_t workspace) const {
    const RawMatrix::Channels run = RunOf(index);
    const size_t offset = index * blocks_each_ * layout_.block_size;
    const size_t size =
        index + 1 == count_ ? layout_.size - offset : blocks_each_ * layout_.block_size;
    const auto packed = matrix_.Pack(run, {target_ + offset, size}, workspace);
    matrix_.Discard(run);
    return packed && packed->size == size;
  }

  // True for the last one.
  bool CountPacked() { return ++packed_ == count_; }

  uint64_t RawBytes(size_t index) const { return RunOf(index).count * matrix_.row_bytes(); }

 private:
  RawMatrix::Channels RunOf(size_t index) const {
    const size_t channels_each = blocks_each_ * SliceLayout::kBlock;
    const size_t first = index * channels_each;
    return {first, std::min(channels_each, matrix_.channels() - first)};
  }

  const RawMatrix& matrix_;
  const SliceLayout layout_;
  uint8_t* const target_;
  size_t blocks_each_;
  size_t count_;
  std::atomic<size_t> next_{0};
  std::atomic<size_t> packed_{0};
};

// What becomes of a claimed key. Whoever packs the last slice commits, and whoever fails first
// gives the claim up, there and then: the thread that loads may be waiting for either. Never both,
// and never at once, because a slice that failed is none that was packed: so there is no lock.
class Claim {
 public:
  Claim(PackTransaction& transaction, const PackKey& key,
        const std::vector<std::shared_ptr<Content>>& contents)
      : transaction_(transaction), key_(key), contents_(contents) {}

  // All slices are packed. May throw std::bad_alloc.
  void Commit() { pin_ = transaction_.Commit(key_, contents_); }

  void GiveUp() {
    if (!is_given_up_.exchange(true)) transaction_.DropClaim();
  }

  bool is_given_up() const { return is_given_up_; }
  PackedWeight TakePin() { return std::move(pin_); }

 private:
  PackTransaction& transaction_;
  const PackKey& key_;
  const std::vector<std::shared_ptr<Content>>& contents_;
  PackedWeight pin_;
  std::atomic<bool> is_given_up_{false};
};

// Until nothing is left, or something went wrong somewhere. A worker that cannot even begin leaves
// the slices to the others. `reporter` null: nobody is told.
void PackSlices(Slices& slices, Claim& claim, LoadReporter* reporter) try {
  xnn_workspace_t created = nullptr;
  if (xnn_create_workspace(&created) != xnn_status_success) return;
  const XnnWorkspace workspace(created);
  while (!claim.is_given_up() && (reporter == nullptr || !reporter->is_cancelled())) {
    const size_t index = slices.Take();
    if (index >= slices.count()) return;
    if (!slices.Pack(index, workspace.get())) return claim.GiveUp();
    if (reporter != nullptr) static_cast<void>(reporter->ServedAhead(slices.RawBytes(index)));
    if (slices.CountPacked()) claim.Commit();
  }
} catch (const std::bad_alloc&) {
  claim.GiveUp();
}

}  // namespace

SlicedPacker::SlicedPacker(std::shared_ptr<WeightCache> cache, size_t large_bytes, size_t threads,
                           LoadReporter& reporter)
    : cache_(std::move(cache)), large_bytes_(large_bytes), threads_(threads), reporter_(reporter) {}

Result<PackedWeight> SlicedPacker::Pack(const LargeWeight& weight) {
  const auto matrix = RawMatrix::Open(weight.payload, weight.use, weight.node);
  if (!matrix) return PackedWeight();
  const std::optional<SliceLayout> layout = ProbeLayout(*matrix);
  if (!layout) return PackedWeight();
  const PackKey key{weight.use.identity, LayoutFingerprint(), layout->seed};
  PackTransaction transaction(cache_, Hits::kNotCounted);
  PackedWeight found = transaction.LookUp(key, weight.description.has_namesake);
  if (found) return found;
  matrix->Prefetch();
  uint8_t* target = transaction.Reserve(layout->size, PackTransaction::Pages::kAsTouched);
  if (target == nullptr) return PackedWeight();
  Slices slices(*matrix, *layout, large_bytes_ / kSlices, target);
  Claim claim(transaction, key, weight.description.contents);
  size_t workers = 0;
  const size_t threads = std::min(threads_, slices.count());
  if (threads > 1 || reporter_.has_listener()) {
    workers =
        RunWorkers(threads, reporter_, [&](size_t) { PackSlices(slices, claim, &reporter_); });
  }
  if (workers == 0) PackSlices(slices, claim, nullptr);
  matrix->DiscardAll();
  ONEPACK_RETURN_IF_ERROR(reporter_.CheckNotCancelled());
  PackedWeight packed = claim.TakePin();
  return packed.is_private() ? PackedWeight() : std::move(packed);
}

}  // namespace onepack
