#include "delegate/packing/packer.h"

#include <algorithm>
#include <atomic>
#include <new>
#include <unordered_map>

#include "delegate/packing/lasting_key.h"
#include "delegate/packing/raw_weight.h"
#include "delegate/packing/sliced_weight.h"
#include "delegate/packing/source_call.h"
#include "delegate/packing/stored_weight.h"
#include "delegate/xnn/layout_tag.h"
#include "weight_cache/pack_transaction.h"

namespace onepack {
namespace {

bool IsPinned(const Weight& weight) { return weight.packing != Packing::kPrivate; }

bool IsAsStored(const Weight& weight) { return weight.packing == Packing::kAsStored; }

PackKey KeyOf(const Plan& plan, const Weight& weight) {
  return PackKey{weight.identity,
                 IsAsStored(weight) ? LayoutAsStored(plan, weight) : LayoutFingerprint()};
}

std::vector<std::shared_ptr<Content>> ContentsOf(const Plan& plan, const Weight& weight) {
  std::vector<std::shared_ptr<Content>> contents;
  for (const uint32_t index : {weight.kernel.constant_index, weight.kernel.scale_index,
                               weight.bias.constant_index, weight.bias.scale_index}) {
    if (index != 0) contents.push_back(plan.contents->content(index));
  }
  return contents;
}

// Whether the files that the weight's constants are in are what they were when it was hashed.
bool AreUnchanged(const Plan& plan, const Weight& weight) {
  const SourceCall call;
  for (const uint32_t index : {weight.kernel.constant_index, weight.kernel.scale_index,
                               weight.bias.constant_index, weight.bias.scale_index}) {
    if (index != 0 && !plan.payload().constant(index).source().CheckUnchanged().ok()) return false;
  }
  return true;
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

}  // namespace

class Packer::Call {
 public:
  Call(const Packer& packer, Span<const Plan> plans) : packer_(packer), plans_(plans) {}

  Result<std::vector<PinnedWeights>> Run() {
    ONEPACK_RETURN_IF_ERROR(Find());
    if (cache()->file() != nullptr) ONEPACK_RETURN_IF_ERROR(FindInFile());
    ONEPACK_RETURN_IF_ERROR(PackMissing());
    return Deliver();
  }

 private:
  // The first weight that has a key, for all that have it.
  struct Wanted {
    const Plan* plan;
    const Weight* weight;
    PackedWeight pin;
    uint64_t reported_bytes = 0;  // of its raw ones
    Status status;
  };

  Status Find();
  Status PackMissing();
  Status PackLarge(Wanted& wanted);
  Status FindInFile();
  std::vector<Wanted*> Missing();
  using Step = Status (Call::*)(Wanted&);
  // Takes the step for all of them, in the threads of the load.
  Status ForEach(const std::vector<Wanted*>& wanted, Step step);
  void TakeStep(Step step, Wanted& wanted);
  Status FindInFile(Wanted& wanted);
  // Claims the weight's key, unless it is there now: then it is pinned.
  void LookUp(Wanted& wanted, PackTransaction& transaction) const;
  Status Pack(Wanted& wanted);
  Result<PackedWeight> KeepAsStored(const Wanted& wanted, PackTransaction& transaction) const;
  // To the application, what it has not been told of.
  Status ReportRest(Wanted& wanted) const;
  Result<std::vector<PinnedWeights>> Deliver();

  size_t NumberOf(const Wanted& wanted) const {
    return static_cast<size_t>(&wanted - wanted_.data());
  }
  // Null for what is not in the packed file, and will not be.
  const LastingKey* LastingKeyFor(const Wanted& wanted) const {
    if (lasting_.empty() || IsAsStored(*wanted.weight)) return nullptr;
    return &lasting_[NumberOf(wanted)];
  }

  const PackerOptions& options() const { return packer_.options_; }
  // Of the hashes of raw bytes; null where none are recorded.
  ContentRegistry* registry() const {
    return cache()->options().record_hashes ? &cache()->contents() : nullptr;
  }
  LoadReporter& reporter() const { return packer_.reporter_; }
  const std::shared_ptr<PackedWeightCache>& cache() const { return packer_.cache_; }

  const Packer& packer_;
  const Span<const Plan> plans_;
  std::vector<Wanted> wanted_;  // in the order in which plans have them
  std::unordered_map<PackKey, size_t, PackKeyHash> numbers_;  // in wanted_
  // Parallel to wanted_; empty without a packed file, and of no meaning for what is not looked for
  // in it.
  std::vector<LastingKey> lasting_;
};

PinnedWeights PinnedWeights::Share() const {
  PinnedWeights shared;
  shared.pins_.reserve(pins_.size());
  for (const PackedWeight& pin : pins_) {
    shared.pins_.push_back(pin ? pin.Share() : PackedWeight());
  }
  return shared;
}

// What a load has packed is written also where the load fails: others want it.
Result<std::vector<PinnedWeights>> Packer::Pin(Span<const Plan> plans) const {
  auto pinned = Call(*this, plans).Run();
  if (cache_->file() != nullptr) cache_->file()->StartWriting();
  return pinned;
}

Status Packer::Call::Find() {
  UnchangedFiles files;
  size_t count = 0;
  for (const Plan& plan : plans_) count += plan.weights.size();
  wanted_.reserve(count);
  numbers_.reserve(count);
  for (const Plan& plan : plans_) {
    for (const Weight& weight : plan.weights) {
      if (!IsPinned(weight)) continue;
      const PackKey key = KeyOf(plan, weight);
      if (!numbers_.try_emplace(key, wanted_.size()).second) continue;
      Wanted& wanted = wanted_.emplace_back();
      wanted.plan = &plan;
      wanted.weight = &weight;
      wanted.pin = cache()->Find(key);
      if (!wanted.pin) continue;
      if (IsAsStored(weight)) ONEPACK_RETURN_IF_ERROR(files.Check(wanted.pin));
      ONEPACK_RETURN_IF_ERROR(ReportRest(wanted));
    }
  }
  return Status::Ok();
}

std::vector<Packer::Call::Wanted*> Packer::Call::Missing() {
  std::vector<Wanted*> missing;
  missing.reserve(wanted_.size());
  for (Wanted& wanted : wanted_) {
    if (!wanted.pin) missing.push_back(&wanted);
  }
  return missing;
}

Status Packer::Call::FindInFile() {
  std::vector<Wanted*> missing = Missing();
  missing.erase(std::remove_if(missing.begin(), missing.end(),
                               [](const Wanted* wanted) { return IsAsStored(*wanted->weight); }),
                missing.end());
  if (missing.empty()) return Status::Ok();
  cache()->file()->Refresh();
  if (!cache()->file()->WantsKeys(LayoutFingerprint())) return Status::Ok();
  lasting_.resize(wanted_.size());
  return ForEach(missing, &Call::FindInFile);
}

Status Packer::Call::FindInFile(Wanted& wanted) {
  const Plan& plan = *wanted.plan;
  const Weight& weight = *wanted.weight;
  ONEPACK_ASSIGN_OR_RETURN(const PackKey lasting, LastingKeyOf(plan, weight, *cache()));
  lasting_[NumberOf(wanted)] = {lasting, [&plan, &weight] { return AreUnchanged(plan, weight); }};
  wanted.pin = cache()->FindInFile(KeyOf(plan, weight), lasting, ContentsOf(plan, weight));
  if (wanted.pin) static_cast<void>(ReportRest(wanted));
  return Status::Ok();
}

Status Packer::Call::PackMissing() {
  std::vector<Wanted*> missing = Missing();
  std::sort(missing.begin(), missing.end(), [](const Wanted* a, const Wanted* b) {
    const uint64_t a_bytes = a->weight->raw_bytes;
    const uint64_t b_bytes = b->weight->raw_bytes;
    return a_bytes != b_bytes ? a_bytes > b_bytes : a < b;  // of equal size in the file's order
  });
  for (Wanted* wanted : missing) ONEPACK_RETURN_IF_ERROR(PackLarge(*wanted));
  missing.erase(std::remove_if(missing.begin(), missing.end(),
                               [](const Wanted* wanted) { return bool{wanted->pin}; }),
                missing.end());
  return ForEach(missing, &Call::Pack);
}

// What cannot be packed in slices, or fails to be, is left to be packed whole, which says what is
// wrong if something is.
Status Packer::Call::PackLarge(Wanted& wanted) {
  const Weight& weight = *wanted.weight;
  if (IsAsStored(weight) || options().large_weight_bytes == 0 ||
      weight.raw_bytes < options().large_weight_bytes) {
    return Status::Ok();
  }
  const auto sliced = SlicedWeight::Open(*wanted.plan, weight, packer_.node_packer_);
  if (!sliced) return Status::Ok();
  PackTransaction transaction(cache());
  LookUp(wanted, transaction);
  if (!wanted.pin) {
    wanted.pin = sliced->Pack(transaction, ContentsOf(*wanted.plan, weight),
                              {options().threads, options().large_weight_bytes}, reporter(),
                              &wanted.reported_bytes);
  }
  ONEPACK_RETURN_IF_ERROR(reporter().CheckNotCancelled());
  return wanted.pin ? ReportRest(wanted) : Status::Ok();
}

Status Packer::Call::ReportRest(Wanted& wanted) const {
  const uint64_t raw_bytes = wanted.weight->raw_bytes;
  const uint64_t rest = raw_bytes - std::exchange(wanted.reported_bytes, raw_bytes);
  return rest > 0 ? reporter().Served(rest) : Status::Ok();
}

Status Packer::Call::ForEach(const std::vector<Wanted*>& wanted, Step step) {
  uint64_t raw_bytes = 0;
  for (const Wanted* one : wanted) raw_bytes += one->weight->raw_bytes;
  const uint64_t threads =
      std::min<uint64_t>({options().threads, wanted.size(),
                          raw_bytes / std::max<size_t>(options().min_bytes_per_thread, 1)});
  std::atomic<size_t> next{0};
  std::atomic<bool> has_failed{false};
  const auto work = [&](size_t) {
    while (!has_failed && !reporter().is_cancelled()) {
      const size_t index = next++;
      if (index >= wanted.size()) return;
      TakeStep(step, *wanted[index]);
      if (!wanted[index]->status.ok()) has_failed = true;
    }
  };
  if (threads < 2 || reporter().RunWorkers(threads, work) == 0) work(0);
  ONEPACK_RETURN_IF_ERROR(reporter().CheckNotCancelled());
  for (Wanted* one : wanted) {
    if (!one->status.ok()) return std::move(one->status);
  }
  return Status::Ok();
}

void Packer::Call::TakeStep(Step step, Wanted& wanted) {
  try {
    wanted.status = (this->*step)(wanted);
  } catch (const std::bad_alloc&) {
    wanted.status = Status::Error(StatusCode::kResourceExhausted, "out of memory while packing");
  }
  if (wanted.status.ok()) return;
  const Plan& plan = *wanted.plan;
  const uint32_t node = wanted.weight->node;
  wanted.status = WithNode(std::move(wanted.status), node, *plan.graph().xnodes()->Get(node))
                      .WithContext("delegate %zu", plan.delegate_index);
}

void Packer::Call::LookUp(Wanted& wanted, PackTransaction& transaction) const {
  const Plan& plan = *wanted.plan;
  wanted.pin = transaction.LookUp(KeyOf(plan, *wanted.weight), HasNamesake(plan, *wanted.weight),
                                  LastingKeyFor(wanted));
}

Status Packer::Call::Pack(Wanted& wanted) {
  const Plan& plan = *wanted.plan;
  const Weight& weight = *wanted.weight;
  PackTransaction transaction(cache());
  LookUp(wanted, transaction);
  if (wanted.pin && IsAsStored(weight)) {
    UnchangedFiles files;
    ONEPACK_RETURN_IF_ERROR(files.Check(wanted.pin));
  } else if (IsAsStored(weight)) {
    ONEPACK_ASSIGN_OR_RETURN(wanted.pin, KeepAsStored(wanted, transaction));
  } else if (!wanted.pin) {
    ONEPACK_ASSIGN_OR_RETURN(const RawWeight raw, RawWeight::Read(plan, weight, registry()));
    EntryMemory memory(transaction);
    ONEPACK_ASSIGN_OR_RETURN(const NodePacker::Packed packed,
                             packer_.node_packer_.Pack(plan, weight, raw.shown(), memory));
    wanted.pin = transaction.Commit(packed.tag, ContentsOf(plan, weight));
  }
  // That it is cancelled is seen by all.
  static_cast<void>(ReportRest(wanted));
  return Status::Ok();
}

Result<PackedWeight> Packer::Call::KeepAsStored(const Wanted& wanted,
                                                PackTransaction& transaction) const {
  const SourceCall call;  // until `stored` has let go of what it read
  ONEPACK_ASSIGN_OR_RETURN(
      StoredWeight stored,
      StoredWeight::Read(*wanted.plan, *wanted.weight, options().prefetches, registry()));
  uint8_t* memory = transaction.Reserve(std::max<size_t>(stored.computed_bytes(), 1));
  if (memory == nullptr) {
    return Status::Error(StatusCode::kResourceExhausted, "no memory for %zu computed bytes",
                         stored.computed_bytes());
  }
  stored.Compute(memory);
  return transaction.Commit(LayoutTag{0}, ContentsOf(*wanted.plan, *wanted.weight),
                            std::move(stored).Release());
}

// The first weight of a key takes the pin itself, after all others have got one of their own.
Result<std::vector<PinnedWeights>> Packer::Call::Deliver() {
  std::vector<PinnedWeights> pinned(plans_.size());
  std::vector<PackedWeight*> firsts(wanted_.size());
  for (size_t i = 0; i < plans_.size(); ++i) {
    std::vector<PackedWeight>& pins = pinned[i].pins_;
    pins.resize(plans_[i].weights.size());
    for (size_t j = 0; j < pins.size(); ++j) {
      const Weight& weight = plans_[i].weights[j];
      if (IsPinned(weight)) {
        const size_t index = numbers_.at(KeyOf(plans_[i], weight));
        if (wanted_[index].weight == &weight) {
          firsts[index] = &pins[j];
          continue;
        }
        pins[j] = wanted_[index].pin.Share();
      }
      ONEPACK_RETURN_IF_ERROR(reporter().Served(weight.raw_bytes));
    }
  }
  for (size_t i = 0; i < firsts.size(); ++i) *firsts[i] = std::move(wanted_[i].pin);
  return pinned;
}

}  // namespace onepack
