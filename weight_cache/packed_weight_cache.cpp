#include "weight_cache/packed_weight_cache.h"

#include <assert.h>

#include <chrono>
#include <utility>

namespace onepack {

class PackedWeightCache::Lock {
 public:
  explicit Lock(const PackedWeightCache& cache) : lock_(cache.mutex_) { ++cache.stats_.lock_count; }
  std::unique_lock<ForkSafeMutex>& get() { return lock_; }

 private:
  std::unique_lock<ForkSafeMutex> lock_;
};

PackedWeightCache::PackedWeightCache(const WeightCacheOptions& options)
    : options_(options),
      heap_(HeapStore::Create(options.huge_pages)),
      file_(options.packed_file.path.empty() ? nullptr
                                             : std::make_unique<PackedFile>(options.packed_file)) {}

WeightCache::~WeightCache() = default;

std::shared_ptr<WeightCache> WeightCache::Create(const WeightCacheOptions& options) {
  return PackedWeightCache::Create(options);
}

std::shared_ptr<PackedWeightCache> PackedWeightCache::Create(const WeightCacheOptions& options) {
  return std::shared_ptr<PackedWeightCache>(new PackedWeightCache(options));
}

// Pins and transactions hold the cache, so when it goes only retained entries are left.
PackedWeightCache::~PackedWeightCache() { assert(entries_.size() == retained_.size()); }

WeightCacheStats PackedWeightCache::Stats() const {
  Lock lock(*this);
  WeightCacheStats stats = stats_;
  stats.heap_bytes = heap_->mapped_bytes();
  lock.get().unlock();
  if (file_ != nullptr) stats.file = file_->Stats();
  return stats;
}

Status PackedWeightCache::Flush() { return file_ != nullptr ? file_->Flush() : Status::Ok(); }

void PackedWeightCache::Prune() { EvictDownTo(0); }

PackedWeight PackedWeightCache::Find(const PackKey& key) {
  const Lock lock(*this);
  const auto found = entries_.find(key);
  if (found == entries_.end() || !found->second.ready) return PackedWeight();
  return PackedWeight(shared_from_this(), Hit(&found->second));
}

// Nothing is claimed: two loads that come together find the same bytes, and the second one pins the
// entry of the first. Where another is packing the weight already, its entry is waited for as
// without a file.
PackedWeight PackedWeightCache::FindInFile(const PackKey& key, const PackKey& lasting,
                                           std::vector<std::shared_ptr<Content>> contents) {
  std::optional<PackedFile::Found> found = file_->Find(lasting);
  if (!found) return PackedWeight();
  const uint64_t size = found->bytes.size();
  PackedBytes packed(found->bytes, std::move(found->owner));
  PackedWeight weight = PinFromFile(key, std::move(packed), found->tag, std::move(contents));
  if (weight) file_->CountHit(size);
  return weight;
}

PackedWeight PackedWeightCache::PinFromFile(const PackKey& key, PackedBytes packed, LayoutTag tag,
                                            std::vector<std::shared_ptr<Content>> contents) {
  const Lock lock(*this);
  const auto known = entries_.find(key);
  Entry* entry = nullptr;
  if (known == entries_.end()) {
    entry = CreateEntry(key);
    CountMiss(key, /*has_namesake=*/false);
    Fill(entry, std::move(packed), {}, tag, std::move(contents));
  } else if (known->second.ready) {
    entry = Hit(&known->second);
  }
  return entry != nullptr ? PackedWeight(shared_from_this(), entry) : PackedWeight();
}

PackedWeightCache::Entry* PackedWeightCache::FindOrClaim(const PackKey& key, bool has_namesake) {
  Lock lock(*this);
  bool has_waited = false;
  std::chrono::steady_clock::time_point start;
  Entry* result = nullptr;
  for (;;) {
    const auto found = entries_.find(key);
    const bool is_there = found != entries_.end();
    if (is_there && found->second.ready) {
      result = Hit(&found->second);
      break;
    }
    if (!is_there || found->second.forks != ForkSafeMutex::forks()) {
      Entry* entry = is_there ? &found->second : CreateEntry(key);
      entry->forks = ForkSafeMutex::forks();
      CountMiss(key, has_namesake);
      break;
    }
    // Another transaction packs this key. It may also give up: then the entry is gone after the
    // wait, and the next round of this loop claims the key.
    if (!has_waited) {
      has_waited = true;
      ++stats_.waits;
      start = std::chrono::steady_clock::now();
    }
    mutex_.Wait(lock.get());
  }
  if (has_waited) {
    stats_.wait_ns += static_cast<uint64_t>(
        std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count());
  }
  return result;
}

PackedWeightCache::Entry* PackedWeightCache::Publish(const PackKey& key, PackedBytes packed,
                                                     StoredBytes stored, LayoutTag tag,
                                                     std::vector<std::shared_ptr<Content>> contents,
                                                     uint64_t packing_ns) {
  const Lock lock(*this);
  Entry* entry = &entries_.find(key)->second;
  stats_.packed_bytes += packed.size();
  stats_.packing_ns += packing_ns;
  Fill(entry, std::move(packed), std::move(stored), tag, std::move(contents));
  mutex_.NotifyAll();
  return entry;
}

void PackedWeightCache::Fill(Entry* entry, PackedBytes packed, StoredBytes stored, LayoutTag tag,
                             std::vector<std::shared_ptr<Content>> contents) {
  entry->packed = std::move(packed);
  entry->stored = std::move(stored);
  entry->tag = tag;
  entry->contents = std::move(contents);
  entry->ready = true;
  entry->pins = 1;
  ++stats_.pins;
  ++stats_.entries;
  stats_.bytes += entry->packed.size();
  stats_.file_bytes += entry->packed.file_size();
  stats_.in_place_bytes += entry->stored.size() - entry->stored.copied;
  stats_.copied_bytes += entry->stored.copied;
}

void PackedWeightCache::Abandon(const PackKey& key) {
  const Lock lock(*this);
  EraseEntry(&entries_.find(key)->second);
  mutex_.NotifyAll();
}

void PackedWeightCache::AddPin(Entry* entry) {
  const Lock lock(*this);
  Pin(entry);
}

void PackedWeightCache::Unpin(Entry* entry) {
  Remains freed;  // after the lock is released
  {
    const Lock lock(*this);
    --stats_.pins;
    if (--entry->pins > 0) return;
    const size_t size = entry->packed.size();
    // An entry without bytes would never exceed a limit, and never go.
    if (size == 0 || size > options_.retained_bytes || entry->stored.owner != nullptr) {
      freed = Take(entry);
      return;
    }
    retained_.splice(retained_.end(), entry->node);
    stats_.retained_bytes += size;
    if (stats_.retained_bytes <= options_.retained_bytes) return;
  }
  EvictDownTo(options_.retained_bytes);
}

void PackedWeightCache::EvictDownTo(size_t limit) {
  for (;;) {
    Remains freed;  // after the lock is released
    const Lock lock(*this);
    if (stats_.retained_bytes <= limit || retained_.empty()) return;
    Entry* entry = retained_.front();
    entry->node.splice(entry->node.end(), retained_, entry->position);
    freed = Take(entry);
    stats_.retained_bytes -= freed.packed.size();
    ++stats_.evictions;
  }
}

PackedWeightCache::Remains PackedWeightCache::Take(Entry* entry) {
  Remains remains{std::move(entry->packed), std::move(entry->stored)};
  --stats_.entries;
  stats_.bytes -= remains.packed.size();
  stats_.file_bytes -= remains.packed.file_size();
  stats_.in_place_bytes -= remains.stored.size() - remains.stored.copied;
  stats_.copied_bytes -= remains.stored.copied;
  EraseEntry(entry);
  return remains;
}

void PackedWeightCache::AddPrivate(size_t bytes, uint64_t packing_ns) {
  const Lock lock(*this);
  ++stats_.pins;
  stats_.bytes += bytes;
  stats_.private_bytes += bytes;
  stats_.packed_bytes += bytes;
  stats_.packing_ns += packing_ns;
}

void PackedWeightCache::RemovePrivate(size_t bytes) {
  const Lock lock(*this);
  --stats_.pins;
  stats_.bytes -= bytes;
  stats_.private_bytes -= bytes;
}

void PackedWeightCache::Pin(Entry* entry) {
  if (entry->pins == 0) {
    entry->node.splice(entry->node.end(), retained_, entry->position);
    stats_.retained_bytes -= entry->packed.size();
  }
  ++entry->pins;
  ++stats_.pins;
}

PackedWeightCache::Entry* PackedWeightCache::Hit(Entry* entry) {
  Pin(entry);
  ++stats_.hits;
  stats_.hit_bytes += entry->packed.size() + entry->stored.size();
  return entry;
}

void PackedWeightCache::CountMiss(const PackKey& key, bool has_namesake) {
  bool same_kernel = false;
  bool same_quantization = false;
  const auto [begin, end] = by_kernel_.equal_range(key.weight.kernel);
  for (auto other = begin; other != end; ++other) {
    if (!other->second->ready) continue;
    same_kernel = true;
    same_quantization |= other->second->key->weight.quantization == key.weight.quantization;
  }
  if (same_quantization) {
    ++stats_.misses.other_layout;
  } else if (same_kernel) {
    ++stats_.misses.other_quantization;
  } else if (has_namesake) {
    ++stats_.misses.other_content;
  } else {
    ++stats_.misses.absent;
  }
}

PackedWeightCache::Entry* PackedWeightCache::CreateEntry(const PackKey& key) {
  const auto [found, is_new] = entries_.try_emplace(key);
  Entry* entry = &found->second;
  try {
    if (options_.retained_bytes > 0) {
      entry->node.push_back(entry);
      entry->position = entry->node.begin();
    }
    by_kernel_.emplace(key.weight.kernel, entry);
  } catch (...) {
    entries_.erase(found);
    throw;
  }
  entry->key = &found->first;
  return entry;
}

void PackedWeightCache::EraseEntry(Entry* entry) {
  const auto [begin, end] = by_kernel_.equal_range(entry->key->weight.kernel);
  for (auto other = begin; other != end; ++other) {
    if (other->second != entry) continue;
    by_kernel_.erase(other);
    break;
  }
  entries_.erase(entries_.find(*entry->key));
}

// The entry does not change while it is pinned: no lock is needed.
Bytes PackedWeight::bytes() const {
  if (entry_ != nullptr) return entry_->packed.bytes();
  return block_ != nullptr ? block_->bytes() : Bytes();
}

PackedWeight PackedWeight::Share() const {
  cache_->AddPin(entry_);
  return PackedWeight(cache_, entry_);
}

PackedWeight::PackedWeight(PackedWeight&& other) noexcept { *this = std::move(other); }

PackedWeight& PackedWeight::operator=(PackedWeight&& other) noexcept {
  std::swap(cache_, other.cache_);
  std::swap(entry_, other.entry_);
  std::swap(block_, other.block_);
  return *this;
}

PackedWeight::~PackedWeight() {
  if (cache_ == nullptr) return;
  if (entry_ != nullptr) {
    cache_->Unpin(entry_);
  } else {
    cache_->RemovePrivate(block_->size());
  }
}

}  // namespace onepack
