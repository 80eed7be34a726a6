// The packing of one weight: look up, reserve, pack, commit.
//
// clang-format off
//   state           call               next                          besides, or otherwise
//   --------------  -----------------  ----------------------------  -----------------------------
//   any             LookUp(key), hit   Idle; a pin                   an earlier claim is abandoned
//   any             LookUp(key), miss  Claimed(key); an empty pin    the same; waits while another
//                                                                    transaction packs key
//   any             Reserve(n)         the same, and Reserved(n)     an earlier reservation is
//                                                                    dropped; no memory: null
//   Claimed, Res.   Commit(tag)        Idle; a pin, visible to all
//   Reserved        CommitPrivate()    Idle; a pin that is in no     an earlier claim is abandoned
//                                      program's reach but its own
//   any             destructor         gone                          claim abandoned, reservation
//                                                                    dropped
// clang-format on
//
// Progress. A transaction waits only in LookUp, and there it holds no claim: the old one was
// abandoned on entry. So the transactions that others wait for are never themselves waiting, and no
// cycle of waits can form, in whatever order two transactions want the same keys. A claim ends in
// Commit, at the next LookUp, or with the transaction: every waiter is woken, and if the packer
// failed, one of them takes the claim over. Several threads may fill one reservation, each a part
// of its own: they look nothing up meanwhile, and the last one done commits, so that a waiter does
// not depend on the thread that claimed the key.
//
// Threads: one thread at a time.

#ifndef ONEPACK_WEIGHT_CACHE_PACK_TRANSACTION_H_
#define ONEPACK_WEIGHT_CACHE_PACK_TRANSACTION_H_

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "weight_cache/packed_weight_cache.h"

namespace onepack {

// A key that names raw bytes by their hashes.
struct LastingKey {
  PackKey key;
  // Whether the bytes are still what was hashed, as far as their sources say: a file that was
  // rewritten between hashing and packing must not stand under the old hash for all later
  // processes.
  std::function<bool()> holds;
};

class PackTransaction {
 public:
  explicit PackTransaction(std::shared_ptr<PackedWeightCache> cache) : cache_(std::move(cache)) {}
  ~PackTransaction() { DropClaim(); }
  PackTransaction(const PackTransaction&) = delete;
  PackTransaction& operator=(const PackTransaction&) = delete;

  // The weight, or an empty pin: then the caller packs it. May throw std::bad_alloc, with nothing
  // changed. `has_namesake`: the weight's name was seen with other bytes (Content::has_namesake),
  // for the statistics. `lasting`: under which key what is committed is written to the cache's
  // packed file, if it holds then; null: it is not.
  PackedWeight LookUp(const PackKey& key, bool has_namesake = false,
                      const LastingKey* lasting = nullptr);

  // When a reservation's pages are asked for: at once, which takes one call, or as each is touched,
  // which several threads share if they do.
  enum class Pages : uint8_t { kAtOnce, kAsTouched };

  // `size` bytes, aligned for XNNPACK, valid until the next Reserve or Commit. Null when there is
  // no memory.
  uint8_t* Reserve(size_t size, Pages pages = Pages::kAsTouched);

  // Seals the reservation's bytes under the key of the last LookUp. `contents` are what the key was
  // made from: they stay recognisable while the entry lives. `stored`: for the layout "as stored",
  // what the bytes were computed from. REQUIRES: a claim and a reservation.
  PackedWeight Commit(LayoutTag tag, std::vector<std::shared_ptr<Content>> contents = {},
                      StoredBytes stored = {});
  // REQUIRES: a reservation. May throw std::bad_alloc; the reservation is then still there.
  PackedWeight CommitPrivate();

  // Gives up the key of the last miss, if it was not committed.
  void DropClaim();

  // Where the reservation starts; null when there is none.
  const uint8_t* reserved() const { return reserved_.data(); }
  size_t reserved_size() const { return reserved_.size(); }

 private:
  void AddToFile(LayoutTag tag, PackedBytes& packed) const;
  uint64_t PackingTime() const;

  const std::shared_ptr<PackedWeightCache> cache_;
  std::optional<PackKey> claim_;
  std::optional<LastingKey> lasting_;  // for the claimed one, in the packed file
  HeapBlock reserved_;
  std::chrono::steady_clock::time_point reserved_at_;
};

}  // namespace onepack

#endif  // ONEPACK_WEIGHT_CACHE_PACK_TRANSACTION_H_
