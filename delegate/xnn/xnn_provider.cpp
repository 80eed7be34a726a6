#include "delegate/xnn/xnn_provider.h"

#include <iterator>
#include <new>

namespace onepack {

namespace {

PackKey KeyOf(const WeightIdentity& identity, uint32_t seed) {
  return PackKey{identity, LayoutFingerprint(), seed};
}

}  // namespace

WeightTable::WeightTable() {
  provider_.context = this;
  provider_.look_up = [](void* context, const xnn_weights_cache_look_up_key* key) {
    XnnProvider* builder = Of(context).builder_;
    return builder != nullptr ? builder->LookUp(*key) : SIZE_MAX;
  };
  provider_.reserve_space = [](void* context, size_t size) -> void* {
    XnnProvider* builder = Of(context).builder_;
    return builder != nullptr ? builder->ReserveSpace(size) : nullptr;
  };
  provider_.look_up_or_insert = [](void* context, const xnn_weights_cache_look_up_key* key,
                                   void* packed, size_t) {
    XnnProvider* builder = Of(context).builder_;
    return builder != nullptr ? builder->LookUpOrInsert(*key, packed) : 0;
  };
  // XNNPACK asks before it runs an operator. A build that failed never gets there.
  provider_.is_finalized = [](void*) { return true; };
  provider_.offset_to_addr = [](void* context, size_t offset) {
    return const_cast<void*>(Of(context).addresses_[offset]);
  };
  provider_.delete_cache = [](void*) { return xnn_status_invalid_state; };  // ours to delete
}

size_t WeightTable::Add(const Entry& entry, Bytes bytes) {
  entries_.push_back(entry);
  addresses_.push_back(bytes.data());
  return addresses_.size() - 1;
}

void WeightTable::Clear() {
  addresses_.clear();
  entries_.clear();
  private_pins_.clear();
}

void XnnProvider::ClearDescriptions() {
  build_ = nullptr;
  pinned_ = {};
}

void XnnProvider::ForgetPointers() {
  if (build_ == nullptr) return;
  std::vector<const WeightIdentity*> pinned;
  pinned.reserve(build_->described.size());
  for (const WeightIdentity& identity : build_->described) {
    // Of any layout and seed: they are the last parts of a key, and none are less than zeros.
    const auto pin = pins_.lower_bound(PackKey{identity, {}, 0});
    const bool is_pinned = pin != pins_.end() && pin->key().weight == identity;
    pinned.push_back(is_pinned ? &pin->key().weight : nullptr);
  }
  pinned_ = std::move(pinned);
  build_ = nullptr;
}

XnnProvider::Build& XnnProvider::NeedBuild() {
  if (build_ == nullptr) build_ = std::make_unique<Build>();
  return *build_;
}

void XnnProvider::Describe(const void* kernel, const void* bias, WeightDescription description) {
  const auto differ = [](const Meaning* a, const WeightIdentity& b) {
    return a == nullptr || !(a->description.identity == b);
  };
  const WeightIdentity identity = description.identity;
  Build& build = NeedBuild();
  const auto [pair, is_new] = build.meanings.try_emplace(Pointers(kernel, bias));
  std::optional<Meaning>& known = pair->second;
  if (is_new) {
    known.emplace(Meaning{build.described.size(), std::move(description)});
  } else if (known && differ(&*known, identity)) {
    known.reset();
  }
  build.described.push_back(identity);
  const Meaning* meaning = known ? &*known : nullptr;
  const auto [of_kernel, is_first] = build.kernel_meanings.try_emplace(kernel, meaning);
  if (is_first) return;
  if (meaning == nullptr || differ(of_kernel->second, identity)) of_kernel->second = nullptr;
}

void XnnProvider::BeginBuild(PackingObserver* observer, WeightTable& table) {
  Build& build = NeedBuild();
  build.observer = observer;
  build.table = &table;
  build.status = Status();
  build.told_kernels.clear();
  build.transaction.emplace(cache_, hits_);
  table.Clear();
  table.builder_ = this;
}

Status XnnProvider::EndBuild() {
  build_->transaction.reset();
  build_->observer = nullptr;
  build_->table->builder_ = nullptr;
  build_->table = nullptr;
  return std::move(build_->status);
}

bool XnnProvider::Find(const WeightTable::Entry& entry) {
  const PackKey key = KeyOf(build_->described[entry.weight], entry.seed);
  if (pins_.find(key) != pins_.end()) return true;
  PackedWeight found = build_->transaction->Find(key);
  if (!found) return false;
  pins_.insert(std::move(found));
  return true;
}

const WeightIdentity* XnnProvider::IdentityOf(size_t number) const {
  if (build_ == nullptr) return number < pinned_.size() ? pinned_[number] : nullptr;
  return number < build_->described.size() ? &build_->described[number] : nullptr;
}

const PackedWeight* XnnProvider::Pinned(const WeightTable::Entry& entry) const {
  const WeightIdentity* identity = IdentityOf(entry.weight);
  if (identity == nullptr) return nullptr;
  const auto pinned = pins_.find(KeyOf(*identity, entry.seed));
  return pinned != pins_.end() ? &*pinned : nullptr;
}

bool XnnProvider::IsPinned(const WeightTable::Entry& entry) const {
  return Pinned(entry) != nullptr;
}

bool XnnProvider::Connect(WeightTable& table) const {
  std::vector<const void*> addresses;
  addresses.reserve(table.entries_.size());
  for (const WeightTable::Entry& entry : table.entries_) {
    const PackedWeight* pinned = Pinned(entry);
    if (pinned == nullptr) return false;
    addresses.push_back(pinned->bytes().data());
  }
  table.addresses_ = std::move(addresses);
  return true;
}

// With a dynamically quantized input XNNPACK packs the bias as if it were scales, and its key has
// none. A key without a bias may thus mean any weight of its kernel.
XnnProvider::MeaningRange XnnProvider::Candidates(const xnn_weights_cache_look_up_key& key) const {
  if (key.bias != nullptr) return build_->meanings.equal_range(Pointers(key.kernel, key.bias));
  const void* next = static_cast<const char*>(key.kernel) + 1;
  return {build_->meanings.lower_bound(Pointers(key.kernel, nullptr)),
          build_->meanings.lower_bound(Pointers(next, nullptr))};
}

const XnnProvider::Meaning* XnnProvider::Find(const xnn_weights_cache_look_up_key& key) const {
  if (key.bias == nullptr) {
    const auto found = build_->kernel_meanings.find(key.kernel);
    return found != build_->kernel_meanings.end() ? found->second : nullptr;
  }
  const auto found = build_->meanings.find(Pointers(key.kernel, key.bias));
  return found != build_->meanings.end() && found->second ? &*found->second : nullptr;
}

// XNNPACK reads the bias too, whether its key says so or not. A kernel may have as many as the
// graph has nodes: they are told once, and not at every look-up of each.
void XnnProvider::TellBeforePacking(const xnn_weights_cache_look_up_key& key) {
  const auto [begin, end] = Candidates(key);
  if (begin == end) Fail(build_->observer->BeforePacking(key.kernel, key.bias));
  if (key.bias == nullptr && !build_->told_kernels.insert(key.kernel).second) return;
  for (auto candidate = begin; candidate != end; ++candidate) {
    Fail(build_->observer->BeforePacking(candidate->first.first, candidate->first.second));
  }
}

void XnnProvider::TellAfterServing(const xnn_weights_cache_look_up_key& key) {
  const auto [begin, end] = Candidates(key);
  const bool is_one = begin != end && std::next(begin) == end;
  const void* bias = is_one ? begin->first.second : key.bias;
  Fail(build_->observer->AfterServing(key.kernel, bias));
}

const PackedWeight* XnnProvider::Pin(const PackKey& key, bool has_namesake) {
  const auto pinned = pins_.find(key);
  if (pinned != pins_.end()) return &*pinned;
  PackedWeight found = build_->transaction->LookUp(key, has_namesake);
  return found ? &*pins_.insert(std::move(found)).first : nullptr;
}

size_t XnnProvider::LookUp(const xnn_weights_cache_look_up_key& key) noexcept try {
  // XNNPACK has turned to the next weight: whatever was claimed and not inserted never will be.
  build_->transaction->DropClaim();
  const Meaning* weight = Find(key);
  if (weight != nullptr) {
    const WeightDescription& description = weight->description;
    const PackedWeight* pinned =
        Pin(KeyOf(description.identity, key.seed), description.has_namesake);
    if (pinned != nullptr) {
      TellAfterServing(key);
      return build_->table->Add({weight->number, key.seed}, pinned->bytes());
    }
  }
  TellBeforePacking(key);
  return SIZE_MAX;
} catch (const std::bad_alloc&) {
  Fail(Status::Error(StatusCode::kResourceExhausted, "out of memory in a look-up"));
  return SIZE_MAX;
}

void* XnnProvider::ReserveSpace(size_t size) noexcept {
  if (!build_->status.ok()) return nullptr;
  uint8_t* space = build_->transaction->Reserve(size, PackTransaction::Pages::kAtOnce);
  if (space == nullptr) {
    Fail(Status::Error(StatusCode::kResourceExhausted, "no memory for a packed weight of %zu bytes",
                       size));
  }
  return space;
}

// XNNPACK does not look at what this returns, so after a failure it is any offset: EndBuild reports
// the failure and the runtime is never set up.
size_t XnnProvider::LookUpOrInsert(const xnn_weights_cache_look_up_key& key,
                                   const void* packed) noexcept try {
  const Meaning* weight = Find(key);
  // Convolutions insert after a hit too, with nothing packed.
  if (packed == nullptr) {
    if (weight != nullptr) {
      const auto pinned = pins_.find(KeyOf(weight->description.identity, key.seed));
      if (pinned != pins_.end()) {
        return build_->table->Add({weight->number, key.seed}, pinned->bytes());
      }
    }
    Fail(Status::Error(StatusCode::kInternal,
                       "XNNPACK inserted nothing under a key that was never found"));
    return 0;
  }
  if (packed != build_->transaction->reserved()) {
    Fail(Status::Error(StatusCode::kInternal, "XNNPACK inserted bytes that it never reserved"));
    return 0;
  }
  const size_t offset = Insert(weight, key.seed);
  TellAfterServing(key);
  return offset;
} catch (const std::bad_alloc&) {
  Fail(Status::Error(StatusCode::kResourceExhausted, "out of memory in an insertion"));
  return 0;
}

size_t XnnProvider::Insert(const Meaning* weight, uint32_t seed) {
  const auto keep_private = [&](PackedWeight packed) {
    const Bytes bytes = packed.bytes();
    build_->table->private_pins_.push_back(std::move(packed));
    return build_->table->Add({WeightTable::kPrivate, seed}, bytes);
  };
  if (weight == nullptr) return keep_private(build_->transaction->CommitPrivate());
  // Depthwise kernels pack without asking; this graph may have the weight already. One of another
  // size is not the same, whatever the key says: the cache then makes it a private one.
  const PackKey key = KeyOf(weight->description.identity, seed);
  const auto pinned = pins_.find(key);
  if (pinned != pins_.end() && pinned->bytes().size() == build_->transaction->reserved_size()) {
    return build_->table->Add({weight->number, seed}, pinned->bytes());
  }
  PackedWeight packed = build_->transaction->Commit(key, weight->description.contents);
  if (packed.is_private()) return keep_private(std::move(packed));
  const Bytes bytes = packed.bytes();
  pins_.insert(std::move(packed));
  return build_->table->Add({weight->number, seed}, bytes);
}

// The first failure counts; OK is none.
void XnnProvider::Fail(Status status) {
  if (build_->status.ok()) build_->status = std::move(status);
}

}  // namespace onepack
