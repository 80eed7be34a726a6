// Packed weights, shared by every program in the process.
//
// A weight is packed once for each layout XNNPACK wants (pack_key.h); later requests are served the same bytes.
//
// Ownership: Create returns a counted cache; pins and transactions keep it alive, so it can be dropped in any order.
//            Bytes never move or change while a pin is held. The last pin of an entry gives its memory back to the
//            operating system.
// Threads:   the cache from any thread. A pin or a transaction from one thread at a time. Reading pinned bytes takes
//            no lock.
// Errors:    whatever fails leaves no trace in the cache.

#ifndef ONEPACK_WEIGHT_CACHE_WEIGHT_CACHE_H_
#define ONEPACK_WEIGHT_CACHE_WEIGHT_CACHE_H_

#include <stddef.h>
#include <stdint.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "base/span.h"
#include "weight_cache/heap_store.h"
#include "weight_cache/pack_key.h"

namespace onepack {

struct WeightCacheStats {
  // Now.
  size_t entries = 0;
  size_t bytes = 0;          // held, shared and private
  size_t private_bytes = 0;  // of them, those that no other program can find
  size_t pins = 0;

  // Since the cache was made.
  uint64_t hits = 0;
  uint64_t hit_bytes = 0;
  uint64_t misses = 0;
  uint64_t packed_bytes = 0;  // shared and private
  uint64_t waits = 0;         // look-ups that waited for another program's packing
};

class PackTransaction;
class PackedWeight;

class WeightCache : public std::enable_shared_from_this<WeightCache> {
 public:
  static std::shared_ptr<WeightCache> Create();
  ~WeightCache();
  WeightCache(const WeightCache&) = delete;
  WeightCache& operator=(const WeightCache&) = delete;

  WeightCacheStats Stats() const;

 private:
  friend class PackTransaction;
  friend class PackedWeight;

  struct Entry {
    // Packing: claimed by one transaction, `block` empty. Ready: `block` is sealed, its bytes never change again.
    bool ready = false;
    size_t pins = 0;  // of a ready entry; it is erased when they reach 0
    HeapBlock block;
    const PackKey* key = nullptr;  // in the map
  };

  WeightCache() = default;

  // A pinned ready entry, or null: then `key` is claimed and the caller must Publish or Abandon it. Waits while another
  // transaction packs `key`.
  Entry* FindOrClaim(const PackKey& key);
  // Pins the entry of `key`. It takes `*block` and becomes ready, unless it was ready already. Null when it was ready
  // with another size.
  Entry* Publish(const PackKey& key, HeapBlock* block);
  void Abandon(const PackKey& key);
  void Unpin(Entry* entry);
  void AddPrivate(size_t bytes);
  void RemovePrivate(size_t bytes);

  // Leaf lock: nothing outside this class is called while it is held; memory is mapped and unmapped outside it.
  mutable std::mutex mutex_;
  std::condition_variable changed_;  // an entry became ready, or was abandoned

  // Guarded by mutex_.
  std::unordered_map<PackKey, Entry, PackKeyHash> entries_;
  WeightCacheStats stats_;
};

// A counted pin: the packed bytes stay where they are while it lives.
class PackedWeight {
 public:
  PackedWeight() = default;
  PackedWeight(PackedWeight&& other) noexcept;
  PackedWeight& operator=(PackedWeight&& other) noexcept;
  ~PackedWeight();

  explicit operator bool() const { return cache_ != nullptr; }
  Bytes bytes() const { return bytes_; }
  // Packed for one graph only; nobody else can find it.
  bool is_private() const { return cache_ != nullptr && entry_ == nullptr; }

 private:
  friend class PackTransaction;

  std::shared_ptr<WeightCache> cache_;
  WeightCache::Entry* entry_ = nullptr;  // null for a private one, which owns `block_`
  HeapBlock block_;
  Bytes bytes_;
};

}  // namespace onepack

#endif  // ONEPACK_WEIGHT_CACHE_WEIGHT_CACHE_H_
