#include "weight_cache/weight_cache.h"

#include <assert.h>

#include <chrono>
#include <iterator>
#include <utility>

namespace onepack {

class WeightCache::Lock {
 public:
  explicit Lock(const WeightCache& cache) : lock_(cache.mutex_) { ++cache.stats_.lock_count; }
  std::unique_lock<ForkSafeMutex>& get() { return lock_; }

 private:
  std::unique_lock<ForkSafeMutex> lock_;
};

WeightCache::WeightCache(const WeightCacheOptions& options)
    : options_(options), heap_(HeapStore::Create(options.huge_pages)) {}

std::shared_ptr<WeightCache> WeightCache::Create(const WeightCacheOptions& options) {
  return std::shared_ptr<WeightCache>(new WeightCache(options));
}

// Pins and transactions hold the cache, so when it goes only retained entries are left.
WeightCache::~WeightCache() { assert(entries_.size() == retained_.size()); }

WeightCacheStats WeightCache::Stats() const {
  const Lock lock(*this);
  WeightCacheStats stats = stats_;
  stats.heap_bytes = heap_->mapped_bytes();
  return stats;
}

void WeightCache::Prune() { EvictDownTo(0); }

std::vector<PackedWeight> WeightCache::PinAll(const WeightIdentity& weight, const Digest& layout) {
  std::vector<PackedWeight> pins;
  const std::shared_ptr<WeightCache> self = shared_from_this();
  const Lock lock(*this);
  const auto [begin, end] = by_kernel_.equal_range(weight.kernel);
  pins.reserve(static_cast<size_t>(std::distance(begin, end)));
  for (auto candidate = begin; candidate != end; ++candidate) {
    Entry* entry = candidate->second;
    if (!entry->ready || !(entry->key->weight == weight) || entry->key->layout != layout) continue;
    Pin(entry);
    PackedWeight& pin = pins.emplace_back();
    pin.cache_ = self;
    pin.entry_ = entry;
  }
  return pins;
}

WeightCache::Entry* WeightCache::FindOrClaim(const PackKey& key, bool has_namesake,
                                             const PackTransaction* packer, Hits hits) {
  Lock lock(*this);
  bool has_waited = false;
  std::chrono::steady_clock::time_point start;
  Entry* result = nullptr;
  for (;;) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) {
      Claim(CreateEntry(key), packer);
      CountMiss(key, has_namesake);
      break;
    }
    if (found->second.ready) {
      result = Hit(&found->second, hits);
      break;
    }
    if (found->second.forks != ForkSafeMutex::forks()) {
      Claim(&found->second, packer);
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

WeightCache::Entry* WeightCache::FindReady(const PackKey& key) {
  const Lock lock(*this);
  const auto found = entries_.find(key);
  if (found == entries_.end() || !found->second.ready) return nullptr;
  return Hit(&found->second, Hits::kCounted);
}

WeightCache::Entry* WeightCache::Publish(const PackKey& key, HeapBlock* block,
                                         std::vector<std::shared_ptr<Content>> contents,
                                         uint64_t packing_ns) {
  const Lock lock(*this);
  const auto found = entries_.find(key);
  Entry* entry = found != entries_.end() ? &found->second : CreateEntry(key);
  if (!entry->ready) {
    entry->block = std::move(*block);
    entry->contents = std::move(contents);
    entry->ready = true;
    entry->pins = 1;
    ++stats_.pins;
    ++stats_.entries;
    stats_.bytes += entry->block.size();
    stats_.packed_bytes += entry->block.size();
    stats_.packing_ns += packing_ns;
    mutex_.NotifyAll();
    return entry;
  }
  // Equal keys with different bytes: the key lacks something. Nobody must be served the wrong ones.
  if (entry->block.size() != block->size()) return nullptr;
  Pin(entry);
  return entry;
}

void WeightCache::Abandon(const PackKey& key, const PackTransaction* packer) {
  const Lock lock(*this);
  const auto found = entries_.find(key);
  if (found == entries_.end() || found->second.ready || found->second.packer != packer) return;
  EraseEntry(&found->second);
  mutex_.NotifyAll();
}

void WeightCache::Unpin(Entry* entry) {
  HeapBlock freed;  // unmapped after the lock is released
  {
    const Lock lock(*this);
    --stats_.pins;
    if (--entry->pins > 0) return;
    const size_t size = entry->block.size();
    // An entry without bytes would never exceed a limit, and never go.
    if (size == 0 || size > options_.retained_bytes) {
      freed = std::move(entry->block);
      --stats_.entries;
      stats_.bytes -= size;
      EraseEntry(entry);
      return;
    }
    retained_.splice(retained_.end(), entry->node);
    stats_.retained_bytes += size;
    if (stats_.retained_bytes <= options_.retained_bytes) return;
  }
  EvictDownTo(options_.retained_bytes);
}

void WeightCache::EvictDownTo(size_t limit) {
  for (;;) {
    HeapBlock freed;  // unmapped after the lock is released
    const Lock lock(*this);
    if (stats_.retained_bytes <= limit || retained_.empty()) return;
    Entry* entry = retained_.front();
    entry->node.splice(entry->node.end(), retained_, entry->position);
    freed = std::move(entry->block);
    stats_.retained_bytes -= freed.size();
    stats_.bytes -= freed.size();
    --stats_.entries;
    ++stats_.evictions;
    EraseEntry(entry);
  }
}

void WeightCache::AddPrivate(size_t bytes, uint64_t packing_ns) {
  const Lock lock(*this);
  ++stats_.pins;
  stats_.bytes += bytes;
  stats_.private_bytes += bytes;
  stats_.packed_bytes += bytes;
  stats_.packing_ns += packing_ns;
}

void WeightCache::RemovePrivate(size_t bytes) {
  const Lock lock(*this);
  --stats_.pins;
  stats_.bytes -= bytes;
  stats_.private_bytes -= bytes;
}

void WeightCache::Pin(Entry* entry) {
  if (entry->pins == 0) {
    entry->node.splice(entry->node.end(), retained_, entry->position);
    stats_.retained_bytes -= entry->block.size();
  }
  ++entry->pins;
  ++stats_.pins;
}

WeightCache::Entry* WeightCache::Hit(Entry* entry, Hits hits) {
  Pin(entry);
  if (hits == Hits::kNotCounted) return entry;
  ++stats_.hits;
  stats_.hit_bytes += entry->block.size();
  return entry;
}

void WeightCache::Claim(Entry* entry, const PackTransaction* packer) {
  entry->packer = packer;
  entry->forks = ForkSafeMutex::forks();
}

void WeightCache::CountMiss(const PackKey& key, bool has_namesake) {
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

WeightCache::Entry* WeightCache::CreateEntry(const PackKey& key) {
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

void WeightCache::EraseEntry(Entry* entry) {
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
  if (entry_ != nullptr) return entry_->block.bytes();
  return block_ != nullptr ? block_->bytes() : Bytes();
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
