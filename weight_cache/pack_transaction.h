// The packing of one graph's weights, one weight at a time: look up, reserve, pack, commit.
//
// XNNPACK asks for a key, and on a miss reserves memory, packs into it and inserts it, before it
// asks for the next. Some of its operators reserve without asking first. A transaction follows any
// order:
//
// clang-format off
//   state           call               next                          besides, or otherwise
//   --------------  -----------------  ----------------------------  -----------------------------
//   any             LookUp(key), hit   Idle; a pin                   an earlier claim is abandoned
//   any             LookUp(key), miss  Claimed(key); an empty pin    the same; waits while another
//                                                                    transaction packs key
//   any             Find(key)          the same; a pin, if it is
//                                      there
//   any             Reserve(n)         the same, and Reserved(n)     an earlier reservation is
//                                                                    dropped; no memory: null
//   Claimed, Res.   Commit(key)        Idle; a pin, visible to all
//   Reserved        Commit(key)        Idle; a pin, visible to all   key is ready already: a pin on
//                                                                    that, the reservation dropped
//   Reserved        CommitPrivate()    Idle; a pin nobody else finds
//   any             destructor         gone                          claim abandoned, reservation
//                                                                    dropped
// clang-format on
//
// Progress. A transaction waits only in LookUp, and there it holds no claim: the old one was
// abandoned on entry. So the transactions that others wait for are never themselves waiting, and no
// cycle of waits can form, in whatever order two transactions want the same keys. An operator that
// reserves before it looks up changes nothing, because nobody waits for a reservation; one that
// commits without a claim publishes at once and whoever packs the same key finds it there. A claim
// ends in Commit, at the next LookUp, or with the transaction: every waiter is woken, and if the
// packer failed, one of them takes the claim over. Several threads may fill one reservation, each a
// part of its own: they look nothing up meanwhile, and the last one done commits, so that nobody
// who waits for the key needs the thread that claimed it.
//
// Threads: one thread at a time.

#ifndef ONEPACK_WEIGHT_CACHE_PACK_TRANSACTION_H_
#define ONEPACK_WEIGHT_CACHE_PACK_TRANSACTION_H_

#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "weight_cache/weight_cache.h"

namespace onepack {

class PackTransaction {
 public:
  explicit PackTransaction(std::shared_ptr<WeightCache> cache, Hits hits = Hits::kCounted)
      : cache_(std::move(cache)), hits_(hits) {}
  ~PackTransaction() { DropClaim(); }
  PackTransaction(const PackTransaction&) = delete;
  PackTransaction& operator=(const PackTransaction&) = delete;

  // The weight, or an empty pin: then the caller packs it. May throw std::bad_alloc, with nothing
  // changed. `has_namesake`: the weight's name was seen with other bytes (Content::has_namesake),
  // for the statistics.
  PackedWeight LookUp(const PackKey& key, bool has_namesake = false);

  // The weight, if it is there, else an empty pin: nothing is claimed, counted or waited for. An
  // earlier claim stays.
  PackedWeight Find(const PackKey& key);

  // When a reservation's pages are asked for: at once, which takes one call, or as each is touched,
  // which several threads share if they do.
  enum class Pages : uint8_t { kAtOnce, kAsTouched };

  // `size` bytes, aligned for XNNPACK, valid until the next Reserve or Commit. Null when there is
  // no memory.
  uint8_t* Reserve(size_t size, Pages pages = Pages::kAsTouched);

  // REQUIRES, for both: a reservation.
  // Seals its bytes under `key`, or, where that key is ready already, takes what is there. May
  // throw std::bad_alloc; the reservation is then still there. `contents` are what the key was made
  // from: they stay recognisable while the entry lives.
  PackedWeight Commit(const PackKey& key, std::vector<std::shared_ptr<Content>> contents = {});
  PackedWeight CommitPrivate();

  // Gives up the key of the last miss, if it was not committed.
  void DropClaim();

  // Where the reservation starts; null when there is none.
  const uint8_t* reserved() const { return reserved_.data(); }
  size_t reserved_size() const { return reserved_.size(); }

 private:
  PackedWeight Pin(WeightCache::Entry* entry) const;
  uint64_t PackingTime() const;

  const std::shared_ptr<WeightCache> cache_;
  const Hits hits_;
  std::optional<PackKey> claim_;
  HeapBlock reserved_;
  std::chrono::steady_clock::time_point reserved_at_;
};

}  // namespace onepack

#endif  // ONEPACK_WEIGHT_CACHE_PACK_TRANSACTION_H_
