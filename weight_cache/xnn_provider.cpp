#include "weight_cache/xnn_provider.h"

#include <iterator>
#include <new>

namespace onepack {

XnnProvider::XnnProvider(std::shared_ptr<WeightCache> cache) : cache_(std::move(cache)) {
  provider_.context = this;
  provider_.look_up = [](void* context, const xnn_weights_cache_look_up_key* key) {
    return Of(context).LookUp(*key);
  };
  provider_.reserve_space = [](void* context, size_t size) {
    return Of(context).ReserveSpace(size);
  };
  provider_.look_up_or_insert = [](void* context, const xnn_weights_cache_look_up_key* key,
                                   void* packed,
                                   size_t) { return Of(context).LookUpOrInsert(*key, packed); };
  // XNNPACK asks before it runs an operator. A build that failed never gets there.
  provider_.is_finalized = [](void*) { return true; };
  provider_.offset_to_addr = [](void* context, size_t offset) {
    return const_cast<void*>(Of(context).table_[offset]);
  };
  provider_.delete_cache = [](void*) { return xnn_status_invalid_state; };  // ours to delete
}

void XnnProvider::ClearDescriptions() {
  kernel_meanings_.clear();
  meanings_.clear();
}

void XnnProvider::Describe(const void* kernel, const void* bias, WeightDescription description) {
  const auto differ = [](const WeightDescription* a, const WeightDescription* b) {
    return a == nullptr || b == nullptr || !(a->identity == b->identity);
  };
  const auto [pair, is_new] = meanings_.try_emplace(Pointers(kernel, bias));
  std::optional<WeightDescription>& known = pair->second;
  if (is_new) {
    known.emplace(std::move(description));
  } else if (known && differ(&*known, &description)) {
    known.reset();
  }
  const WeightDescription* meaning = known ? &*known : nullptr;
  const auto [of_kernel, is_first] = kernel_meanings_.try_emplace(kernel, meaning);
  if (!is_first && differ(of_kernel->second, meaning)) of_kernel->second = nullptr;
}

void XnnProvider::BeginBuild(PackingObserver* observer) {
  observer_ = observer;
  status_ = Status();
  table_.clear();
  private_pins_.clear();
  told_kernels_.clear();
  transaction_.emplace(cache_);
}

Status XnnProvider::EndBuild() {
  transaction_.reset();
  observer_ = nullptr;
  return std::move(status_);
}

// With a dynamically quantized input XNNPACK packs the bias as if it were scales, and its key has
// none. A key without a bias may thus mean any weight of its kernel.
XnnProvider::MeaningRange XnnProvider::Candidates(const xnn_weights_cache_look_up_key& key) const {
  if (key.bias != nullptr) return meanings_.equal_range(Pointers(key.kernel, key.bias));
  const void* next = static_cast<const char*>(key.kernel) + 1;
  return {meanings_.lower_bound(Pointers(key.kernel, nullptr)),
          meanings_.lower_bound(Pointers(next, nullptr))};
}

const WeightDescription* XnnProvider::Find(const xnn_weights_cache_look_up_key& key) const {
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

PackKey XnnProvider::KeyOf(const WeightDescription& weight, uint32_t seed) {
  return PackKey{weight.identity, LayoutFingerprint(), seed};
}

size_t XnnProvider::LookUp(const xnn_weights_cache_look_up_key& key) noexcept try {
  if (!transaction_) return SIZE_MAX;
  // XNNPACK has turned to the next weight: whatever was claimed and not inserted never will be.
  transaction_->DropClaim();
  const WeightDescription* weight = Find(key);
  if (weight != nullptr) {
    const PackKey pack_key = KeyOf(*weight, key.seed);
    auto pinned = pins_.find(pack_key);
    if (pinned == pins_.end()) {
      PackedWeight found = transaction_->LookUp(pack_key, weight->has_namesake);
      if (found) pinned = pins_.emplace(pack_key, std::move(found)).first;
    }
    if (pinned != pins_.end()) {
      TellAfterServing(key);
      return AddToTable(pinned->second.bytes());
    }
  }
  TellBeforePacking(key);
  return SIZE_MAX;
} catch (const std::bad_alloc&) {
  Fail(Status::Error(StatusCode::kResourceExhausted, "out of memory in a look-up"));
  return SIZE_MAX;
}

void* XnnProvider::ReserveSpace(size_t size) noexcept {
  if (!status_.ok() || !transaction_) return nullptr;
  uint8_t* space = transaction_->Reserve(size);
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
  if (!transaction_) return 0;
  const WeightDescription* weight = Find(key);
  // Convolutions insert after a hit too, with nothing packed.
  if (packed == nullptr) {
    const auto pinned = weight != nullptr ? pins_.find(KeyOf(*weight, key.seed)) : pins_.end();
    if (pinned != pins_.end()) return AddToTable(pinned->second.bytes());
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

size_t XnnProvider::Insert(const WeightDescription* weight, uint32_t seed) {
  if (weight == nullptr) {
    private_pins_.push_back(transaction_->CommitPrivate());
    return AddToTable(private_pins_.back().bytes());
  }
  // Depthwise kernels pack without asking; this graph may have the weight already. One of another
  // size is not the same, whatever the key says: the cache then makes it a private one.
  const PackKey key = KeyOf(*weight, seed);
  const auto pinned = pins_.find(key);
  if (pinned != pins_.end() && pinned->second.bytes().size() == transaction_->reserved_size()) {
    return AddToTable(pinned->second.bytes());
  }
  PackedWeight packed = transaction_->Commit(key, weight->contents);
  const size_t offset = AddToTable(packed.bytes());
  if (packed.is_private()) {
    private_pins_.push_back(std::move(packed));
  } else {
    pins_.emplace(key, std::move(packed));
  }
  return offset;
}

size_t XnnProvider::AddToTable(Bytes bytes) {
  table_.push_back(bytes.data());
  return table_.size() - 1;
}

// The first failure counts; OK is none.
void XnnProvider::Fail(Status status) {
  if (status_.ok()) status_ = std::move(status);
}

}  // namespace onepack
