#include "delegate/packing/packer.h"

#include <algorithm>
#include <atomic>
#include <new>

#include "delegate/packing/raw_weight.h"
#include "delegate/packing/sliced_weight.h"
#include "delegate/packing/workers.h"
#include "delegate/xnn/layout_tag.h"

namespace onepack {
namespace {

bool IsPinned(const Weight& weight) { return weight.packing != Packing::kPrivate; }

PackKey KeyOf(const Weight& weight) { return PackKey{weight.identity, LayoutFingerprint()}; }

std::vector<std::shared_ptr<Content>> ContentsOf(const Plan& plan, const Weight& weight) {
  std::vector<std::shared_ptr<Content>> contents;
  for (const uint32_t index : {weight.kernel.constant_index, weight.kernel.scale_index,
                               weight.bias.constant_index, weight.bias.scale_index}) {
    if (index != 0) contents.push_back(plan.contents->content(index));
  }
  return contents;
}

bool HasNamesake(const Plan& plan, const Weight& weight) {
  return plan.contents->content(weight.kernel.constant_index)->has_namesake();
}

// Memory of the cache, which becomes an entry of it.
class EntryMemory final : public PackingMemory {
 public:
  explicit EntryMemory(PackTransaction& transaction) : transaction_(transaction) {}
  uint8_t* Reserve(size_t size) override {
    return transaction_.Reserve(size, PackTransaction::Pages::kAtOnce);
  }

 private:
  PackTransaction& transaction_;
};

Status WithNode(Status status, const Plan& plan, const Weight& weight) {
  const auto type = plan.graph().xnodes()->Get(weight.node)->xnode_union_type();
  return std::move(status)
      .WithContext("graph node %u (%s)", weight.node, NodeTypeName(type))
      .WithContext("delegate %zu", plan.delegate_index);
}

}  // namespace

// However a call ends, it leaves no pin in the packer.
class Packer::Forgetting {
 public:
  explicit Forgetting(Packer& packer) : packer_(packer) {}
  Forgetting(const Forgetting&) = delete;
  Forgetting& operator=(const Forgetting&) = delete;
  ~Forgetting() {
    packer_.wanted_.clear();
    packer_.by_key_.clear();
  }

 private:
  Packer& packer_;
};

Packer::Packer(std::shared_ptr<WeightCache> cache, const NodePacker& node_packer,
               const PackerOptions& options, LoadReporter& reporter)
    : cache_(std::move(cache)), node_packer_(node_packer), options_(options), reporter_(reporter) {}

Result<std::vector<PinnedWeights>> Packer::Pin(Span<const Plan> plans) {
  const Forgetting forgetting(*this);
  ONEPACK_RETURN_IF_ERROR(FindOrList(plans));
  ONEPACK_RETURN_IF_ERROR(PackMissing());
  return Deliver(plans);
}

Status Packer::FindOrList(Span<const Plan> plans) {
  size_t count = 0;
  for (const Plan& plan : plans) count += plan.weights.size();
  wanted_.reserve(count);
  by_key_.reserve(count);
  for (const Plan& plan : plans) {
    for (const Weight& weight : plan.weights) {
      if (!IsPinned(weight)) continue;
      const PackKey key = KeyOf(weight);
      if (!by_key_.try_emplace(key, wanted_.size()).second) continue;
      Wanted& wanted = wanted_.emplace_back(Wanted{&plan, &weight, key, cache_->Find(key), 0, {}});
      if (wanted.pin) ONEPACK_RETURN_IF_ERROR(ReportRest(wanted));
    }
  }
  return Status::Ok();
}

Status Packer::PackMissing() {
  std::vector<Wanted*> missing;
  for (Wanted& wanted : wanted_) {
    if (!wanted.pin) missing.push_back(&wanted);
  }
  std::sort(missing.begin(), missing.end(), [](const Wanted* a, const Wanted* b) {
    const uint64_t a_bytes = a->weight->raw_bytes;
    const uint64_t b_bytes = b->weight->raw_bytes;
    return a_bytes != b_bytes ? a_bytes > b_bytes : a < b;  // of equal size in the file's order
  });
  for (Wanted* wanted : missing) ONEPACK_RETURN_IF_ERROR(PackLarge(*wanted));
  missing.erase(std::remove_if(missing.begin(), missing.end(),
                               [](const Wanted* wanted) { return bool{wanted->pin}; }),
                missing.end());
  return PackWhole(missing);
}

// What cannot be packed in slices, or fails to be, is left to be packed whole, which says what is
// wrong if something is.
Status Packer::PackLarge(Wanted& wanted) {
  const Weight& weight = *wanted.weight;
  if (options_.large_weight_bytes == 0 || weight.raw_bytes < options_.large_weight_bytes) {
    return Status::Ok();
  }
  const auto sliced = SlicedWeight::Open(*wanted.plan, weight, node_packer_);
  if (!sliced) return Status::Ok();
  PackTransaction transaction(cache_);
  wanted.pin = transaction.LookUp(wanted.key, HasNamesake(*wanted.plan, weight));
  if (!wanted.pin) {
    wanted.pin = sliced->Pack(transaction, ContentsOf(*wanted.plan, weight),
                              {options_.threads, options_.large_weight_bytes}, reporter_,
                              &wanted.reported_bytes);
  }
  ONEPACK_RETURN_IF_ERROR(reporter_.CheckNotCancelled());
  return wanted.pin ? ReportRest(wanted) : Status::Ok();
}

Status Packer::ReportRest(Wanted& wanted) const {
  const uint64_t raw_bytes = wanted.weight->raw_bytes;
  const uint64_t rest = raw_bytes - std::exchange(wanted.reported_bytes, raw_bytes);
  return rest > 0 ? reporter_.Served(rest) : Status::Ok();
}

Status Packer::PackWhole(const std::vector<Wanted*>& missing) {
  uint64_t raw_bytes = 0;
  for (const Wanted* wanted : missing) raw_bytes += wanted->weight->raw_bytes;
  const uint64_t threads =
      std::min<uint64_t>({options_.threads, missing.size(),
                          raw_bytes / std::max<size_t>(options_.min_bytes_per_thread, 1)});
  std::atomic<size_t> next{0};
  std::atomic<bool> has_failed{false};
  const auto work = [&](size_t) {
    while (!has_failed && !reporter_.is_cancelled()) {
      const size_t index = next++;
      if (index >= missing.size()) return;
      PackWithContext(*missing[index]);
      if (!missing[index]->status.ok()) has_failed = true;
    }
  };
  if (threads < 2 || RunWorkers(threads, reporter_, work) == 0) work(0);
  ONEPACK_RETURN_IF_ERROR(reporter_.CheckNotCancelled());
  for (Wanted* wanted : missing) {
    if (!wanted->status.ok()) return std::move(wanted->status);
  }
  return Status::Ok();
}

void Packer::PackWithContext(Wanted& wanted) const {
  try {
    wanted.status = Pack(wanted);
  } catch (const std::bad_alloc&) {
    wanted.status = Status::Error(StatusCode::kResourceExhausted, "out of memory while packing");
  }
  if (wanted.status.ok()) return;
  wanted.status = WithNode(std::move(wanted.status), *wanted.plan, *wanted.weight);
}

Status Packer::Pack(Wanted& wanted) const {
  const Plan& plan = *wanted.plan;
  const Weight& weight = *wanted.weight;
  ContentRegistry* registry = cache_->options().record_hashes ? &cache_->contents() : nullptr;
  PackTransaction transaction(cache_);
  wanted.pin = transaction.LookUp(wanted.key, HasNamesake(plan, weight));
  if (!wanted.pin) {
    ONEPACK_ASSIGN_OR_RETURN(const RawWeight raw, RawWeight::Read(plan, weight, registry));
    EntryMemory memory(transaction);
    ONEPACK_ASSIGN_OR_RETURN(const NodePacker::Packed packed,
                             node_packer_.Pack(plan, weight, raw.shown(), memory));
    wanted.pin = transaction.Commit(packed.tag, ContentsOf(plan, weight));
  }
  // That it is cancelled is seen by all.
  static_cast<void>(ReportRest(wanted));
  return Status::Ok();
}

// The first weight of a key takes the pin itself, after all others have got one of their own.
Result<std::vector<PinnedWeights>> Packer::Deliver(Span<const Plan> plans) {
  std::vector<PinnedWeights> pinned(plans.size());
  std::vector<PackedWeight*> firsts(wanted_.size());
  for (size_t i = 0; i < plans.size(); ++i) {
    std::vector<PackedWeight>& pins = pinned[i].pins_;
    pins.resize(plans[i].weights.size());
    for (size_t j = 0; j < pins.size(); ++j) {
      const Weight& weight = plans[i].weights[j];
      if (IsPinned(weight)) {
        const size_t index = by_key_.at(KeyOf(weight));
        if (wanted_[index].weight == &weight) {
          firsts[index] = &pins[j];
          continue;
        }
        pins[j] = wanted_[index].pin.Share();
      }
      ONEPACK_RETURN_IF_ERROR(reporter_.Served(weight.raw_bytes));
    }
  }
  for (size_t i = 0; i < firsts.size(); ++i) *firsts[i] = std::move(wanted_[i].pin);
  return pinned;
}

}  // namespace onepack
