#include "weight_cache/xnn_provider.h"

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
  ForgetPointers();
  described_.clear();
}

void XnnProvider::ForgetPointers() {
  kernel_meanings_ = {};
  meanings_ = {};
  told_kernels_ = {};
}

void XnnProvider::Describe(const void* kernel, const void* bias, WeightDescription description) {
  const auto differ = [](const Meaning* a, const WeightIdentity& b) {
    return a == nullptr || !(a->description.identity == b);
  };
  const WeightIdentity identity = description.identity;
  const auto [pair, is_new] = meanings_.try_emplace(Pointers(kernel, bias));
  std::optional<Meaning>& known = pair->second;
  if (is_new) {
    known.emplace(Meaning{described_.size(), std::move(description)});
  } else if (known && differ(&*known, identity)) {
    known.reset();
  }
  described_.push_back(identity);
  const Meaning* meaning = known ? &*known : nullptr;
  const auto [of_kernel, is_first] = kernel_meanings_.try_emplace(kernel, meaning);
  if (is_first) return;
  if (meaning == nullptr || differ(of_kernel->second, identity)) of_kernel->second = nullptr;
}

void XnnProvider::BeginBuild(PackingObserver* observer, WeightTable& table) {
  observer_ = observer;
  table_ = &table;
  table.Clear();
  table.builder_ = this;
  status_ = Status();
  told_kernels_.clear();
  transaction_.emplace(cache_);
}

Status XnnProvider::EndBuild() {
  transaction_.reset();
  observer_ = nullptr;
  table_->builder_ = nullptr;
  table_ = nullptr;
  return std::move(status_);
}

bool XnnProvider::Find(const WeightTable::Entry& entry) {
  if (Pin(KeyOf(described_[entry.weight], entry.seed), /*has_namesake=*/false) != nullptr) {
    return true;
  }
  transaction_->DropClaim();
  return false;
}

const PackedWeight* XnnProvider::Pinned(const WeightTable::Entry& entry) const {
  if (entry.weight >= described_.size()) return nullptr;
  const auto pinned = pins_.find(KeyOf(described_[entry.weight], entry.seed));
  return pinned != pins_.end() ? &pinned->second : nullptr;
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
  if (key.bias != nullptr) return meanings_.equal_range(Pointers(key.kernel, key.bias));
  const void* next = static_cast<const char*>(key.kernel) + 1;
  return {meanings_.lower_bound(Pointers(key.kernel, nullptr)),
          meanings_.lower_bound(Pointers(next, nullptr))};
}

const XnnProvider::Meaning* XnnProvider::Find(const xnn_weights_cache_look_up_key& key) const {
  if (key.bias == nullptr) {
    const auto found = kernel_meanings_.find(key.kernel);
    return found != kernel_meanings_.end() ? found->second : nullptr;
  }
  const auto found = meanings_.find(Pointers(key.kernel, key.bias));
  return found != meanings_.end() && found->second ? &*found->second : nullptr;
}

// XNNPACK reads the bias too, whether its key says so or not. A kernel may have as many as the
// graph has nodes: they are told once, and not at every look-up of each.
void XnnProvider::TellBeforePacking(const xnn_weights_cache_look_up_key& key) {
  const auto [begin, end] = Candidates(key);
  if (begin == end) Fail(observer_->BeforePacking(key.kernel, key.bias));
  if (key.bias == nullptr && !told_kernels_.insert(key.kernel).second) return;
  for (auto candidate = begin; candidate != end; ++candidate) {
    Fail(observer_->BeforePacking(candidate->first.first, candidate->first.second));
  }
}

void XnnProvider::TellAfterServing(const xnn_weights_cache_look_up_key& key) {
  const auto [begin, end] = Candidates(key);
  const bool is_one = begin != end && std::next(begin) == end;
  const void* bias = is_one ? begin->first.second : key.bias;
  Fail(observer_->AfterServing(key.kernel, bias));
}

const PackedWeight* XnnProvider::Pin(const PackKey& key, bool has_namesake) {
  const auto pinned = pins_.find(key);
  if (pinned != pins_.end()) return &pinned->second;
  PackedWeight found = transaction_->LookUp(key, has_namesake);
  return found ? &pins_.emplace(key, std::move(found)).first->second : nullptr;
}

size_t XnnProvider::LookUp(const xnn_weights_cache_look_up_key& key) noexcept try {
  // XNNPACK has turned to the next weight: whatever was claimed and not inserted never will be.
  transaction_->DropClaim();
  const Meaning* weight = Find(key);
  if (weight != nullptr) {
    const WeightDescription& description = weight->description;
    const PackedWeight* pinned =
        Pin(KeyOf(description.identity, key.seed), description.has_namesake);
    if (pinned != nullptr) {
      TellAfterServing(key);
      return table_->Add({weight->number, key.seed}, pinned->bytes());
    }
  }
  TellBeforePacking(key);
  return SIZE_MAX;
} catch (const std::bad_alloc&) {
  Fail(Status::Error(StatusCode::kResourceExhausted, "out of memory in a look-up"));
  return SIZE_MAX;
}

void* XnnProvider::ReserveSpace(size_t size) noexcept {
  if (!status_.ok()) return nullptr;
  uint8_t* space = transaction_->Reserve(size, PackTransaction::Pages::kAtOnce);
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
        return table_->Add({weight->number, key.seed}, pinned->second.bytes());
      }
    }
    Fail(Status::Error(StatusCode::kInternal,
                       "XNNPACK inserted nothing under a key that was never found"));
    return 0;
  }
  if (packed != transaction_->reserved()) {
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
    table_->private_pins_.push_back(std::move(packed));
    return table_->Add({WeightTable::kPrivate, seed}, bytes);
  };
  if (weight == nullptr) return keep_private(transaction_->CommitPrivate());
  // Depthwise kernels pack without asking; this graph may have the weight already. One of another
  // size is not the same, whatever the key says: the cache then makes it a private one.
  const PackKey key = KeyOf(weight->description.identity, seed);
  const auto pinned = pins_.find(key);
  if (pinned != pins_.end() && pinned->second.bytes().size() == transaction_->reserved_size()) {
    return table_->Add({weight->number, seed}, pinned->second.bytes());
  }
  PackedWeight packed = transaction_->Commit(key, weight->description.contents);
  if (packed.is_private()) return keep_private(std::move(packed));
  const Bytes bytes = packed.bytes();
  pins_.emplace(key, std::move(packed));
  return table_->Add({weight->number, seed}, bytes);
}

// The first failure counts; OK is none.
void XnnProvider::Fail(Status status) {
  if (status_.ok()) status_ = std::move(status);
}

}  // namespace onepack
