// XNNPACK's weights cache provider interface, on top of a WeightCache, for one graph.
//
// XNNPACK calls back while it creates a runtime (look up, reserve, insert) and whenever it reshapes
// or sets one up (offset to address). Its look-up key is pointers and an XOR of sizes, which does
// not tell all weights apart, so the owner says first what each pointer means:
//
//     provider.Describe(kernel, bias, ...);        for every weight of the graph
//     provider.BeginBuild(observer);
//     xnn_create_runtime_v4(..., provider.handle(), ...);
//     provider.EndBuild();                        then the table never changes, and no lock is
//     taken
//
// An `offset` is an index in this provider's own table of addresses. Where one pair of pointers was
// described twice with different meanings, or not at all, the weight is packed for this graph
// alone: never shared, never wrong.
//
// Ownership: pins everything in its table; must outlive the runtime. Not movable: XNNPACK has its
//            address.
// Threads:   one thread at a time, but the callbacks of a built provider only read.
// Errors:    what goes wrong inside a callback is kept and returned by EndBuild.

#ifndef ONEPACK_WEIGHT_CACHE_XNN_PROVIDER_H_
#define ONEPACK_WEIGHT_CACHE_XNN_PROVIDER_H_

#include <xnnpack.h>

#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/status.h"
#include "weight_cache/pack_transaction.h"
#include "weight_cache/weight_cache.h"

namespace onepack {

// What a pair of pointers means.
struct WeightDescription {
  WeightIdentity identity;
  // What `identity` was made from, kept while the packed weight is in the cache.
  std::vector<std::shared_ptr<Content>> contents;
  bool has_namesake = false;
};

// The owner of the raw weights, told when XNNPACK is about to read some and when it will not read
// them again.
class PackingObserver {
 public:
  virtual ~PackingObserver() = default;

  // The weight was not found. Makes sure the bytes at the two addresses are there; an error ends
  // the build. Operators that pack without looking up first read without this call.
  virtual Status BeforePacking(const void* kernel, const void* bias) = 0;

  // The weight was found or packed. An error ends the build.
  virtual Status AfterServing(const void* kernel, const void* bias) = 0;
};

class XnnProvider {
 public:
  explicit XnnProvider(std::shared_ptr<WeightCache> cache);
  XnnProvider(const XnnProvider&) = delete;
  XnnProvider& operator=(const XnnProvider&) = delete;

  // Forgets earlier descriptions: pointers may mean something else in the next build.
  void ClearDescriptions();
  // Of a kernel that is used without a bias too, the weight without one is packed privately:
  // XNNPACK does not always name the bias, and the two could not be told apart.
  void Describe(const void* kernel, const void* bias, WeightDescription description);

  // May be called again to create the runtime anew, after the old one was deleted: weights found or
  // shared before are found without asking the cache. `observer` lives until EndBuild.
  void BeginBuild(PackingObserver* observer);
  Status EndBuild();

  xnn_weights_cache_t handle() { return &provider_; }

 private:
  using Pointers = std::pair<const void*, const void*>;
  // nullopt for pointers that were described as two different things.
  using Meanings = std::map<Pointers, std::optional<WeightDescription>>;
  using MeaningRange = std::pair<Meanings::const_iterator, Meanings::const_iterator>;

  static XnnProvider& Of(void* context) { return *static_cast<XnnProvider*>(context); }
  size_t LookUp(const xnn_weights_cache_look_up_key& key) noexcept;
  void* ReserveSpace(size_t size) noexcept;
  size_t LookUpOrInsert(const xnn_weights_cache_look_up_key& key, const void* packed) noexcept;

  // What was described that XNNPACK may mean by a key.
  MeaningRange Candidates(const xnn_weights_cache_look_up_key& key) const;
  // Null if that is nothing or not one thing.
  const WeightDescription* Find(const xnn_weights_cache_look_up_key& key) const;
  void TellBeforePacking(const xnn_weights_cache_look_up_key& key);
  void TellAfterServing(const xnn_weights_cache_look_up_key& key);
  static PackKey KeyOf(const WeightDescription& weight, uint32_t seed);
  size_t Insert(const WeightDescription* weight, uint32_t seed);
  size_t AddToTable(Bytes bytes);
  void Fail(Status status);

  const std::shared_ptr<WeightCache> cache_;
  xnn_weights_cache_provider provider_{};

  // What the pointers of the graph mean.
  Meanings meanings_;
  // What all pairs of one kernel mean; null if they are not one thing.
  std::unordered_map<const void*, const WeightDescription*> kernel_meanings_;

  // While building.
  PackingObserver* observer_ = nullptr;
  std::unordered_set<const void*> told_kernels_;  // together with all their biases
  std::optional<PackTransaction> transaction_;
  Status status_;

  // table_[offset] is the address of packed bytes that a pin below keeps.
  std::vector<const void*> table_;
  std::unordered_map<PackKey, PackedWeight, PackKeyHash> pins_;
  std::vector<PackedWeight> private_pins_;
};

// Names the code that packs: the XNNPACK build, and the CPU features and core type it chooses
// kernels from. The same for the whole life of a process.
const Digest& LayoutFingerprint();

}  // namespace onepack

#endif  // ONEPACK_WEIGHT_CACHE_XNN_PROVIDER_H_
