// XNNPACK's weights cache provider interface, on top of a WeightCache, for one graph.
//
// XNNPACK calls back while it creates a runtime (look up, reserve, insert) and whenever it reshapes
// or sets one up (offset to address). Its look-up key is pointers and an XOR of sizes, which does
// not tell all weights apart, so the owner says first what each pointer means:
//
//     provider.Describe(kernel, bias, ...);        for every weight of the graph
//     provider.BeginBuild(observer, table);
//     xnn_create_runtime_v4(..., table.handle(), ...);
//     provider.EndBuild();                        then running takes no lock
//
// An `offset` is an index in the runtime's own table of addresses. Where one pair of pointers was
// described twice with different meanings, or not at all, the weight is packed for this runtime
// alone: never shared, never wrong.
//
// A runtime need not stay with the weights it was created for. Graphs that differ in nothing but
// what is packed take turns with one: its table is connected to the provider of the graph whose
// turn it is, and XNNPACK asks it for all addresses again when the runtime is reshaped.
//
// Ownership: a provider pins what its tables point to, and outlives what runs with it; a table
//            outlives its runtime, and pins what is packed for that alone. Not movable: XNNPACK
//            has the table's address.
// Threads:   one thread at a time, but the callbacks of a built provider only read.
// Errors:    what goes wrong inside a callback is kept and returned by EndBuild.

#ifndef ONEPACK_DELEGATE_XNN_XNN_PROVIDER_H_
#define ONEPACK_DELEGATE_XNN_XNN_PROVIDER_H_

#include <xnnpack.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
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

class XnnProvider;

// What XNNPACK takes for a weights cache: the packed weights of one runtime.
class WeightTable {
 public:
  WeightTable();
  WeightTable(const WeightTable&) = delete;
  WeightTable& operator=(const WeightTable&) = delete;

  xnn_weights_cache_t handle() { return &provider_; }

  // What is at an offset: the weight that was described as number `weight` (counted from 0), packed
  // for a kernel with this seed.
  struct Entry {
    size_t weight;
    uint32_t seed;
  };
  const std::vector<Entry>& entries() const { return entries_; }
  // No entry is of a weight that was packed for this runtime alone.
  bool is_shared() const { return private_pins_.empty(); }

 private:
  friend class XnnProvider;

  static constexpr size_t kPrivate = SIZE_MAX;  // Entry::weight of those

  static WeightTable& Of(void* context) { return *static_cast<WeightTable*>(context); }
  size_t Add(const Entry& entry, Bytes bytes);
  void Clear();

  xnn_weights_cache_provider provider_{};
  XnnProvider* builder_ = nullptr;  // while a runtime is being created
  std::vector<const void*> addresses_;
  std::vector<Entry> entries_;  // parallel to addresses_
  std::vector<PackedWeight> private_pins_;
};

class XnnProvider {
 public:
  explicit XnnProvider(std::shared_ptr<WeightCache> cache, Hits hits = Hits::kCounted)
      : cache_(std::move(cache)), hits_(hits) {}
  XnnProvider(const XnnProvider&) = delete;
  XnnProvider& operator=(const XnnProvider&) = delete;

  // Forgets earlier descriptions: pointers may mean something else in the next build.
  void ClearDescriptions();
  // Only what pointers mean, to save memory; what is pinned goes on to be found by number.
  // REQUIRES: not while building. Before the next build all is cleared and described anew: what is
  // not described is packed privately. May throw std::bad_alloc, with nothing changed.
  void ForgetPointers();
  // Of a kernel that is used without a bias too, the weight without one is packed privately:
  // XNNPACK does not always name the bias, and the two could not be told apart.
  void Describe(const void* kernel, const void* bias, WeightDescription description);

  // May be called again to create the runtime anew, after the old one was deleted: weights found or
  // shared before are found without asking the cache. `observer` lives until EndBuild, and the
  // table's earlier content is dropped.
  void BeginBuild(PackingObserver* observer, WeightTable& table);
  Status EndBuild();

  // Without XNNPACK, between BeginBuild and EndBuild, takes from the cache what is described as
  // number `weight`. False if it is not there: no miss is counted, as it will be packed, or looked
  // up by XNNPACK. May throw std::bad_alloc.
  bool Find(const WeightTable::Entry& entry);

  bool IsPinned(const WeightTable::Entry& entry) const;

  // Points the table of a runtime that another graph created to the weights of this one. False,
  // with nothing changed, if one of them is not pinned here.
  bool Connect(WeightTable& table) const;

 private:
  friend class WeightTable;

  using Pointers = std::pair<const void*, const void*>;
  struct Meaning {
    size_t number;  // of the description, the first one if there are several
    WeightDescription description;
  };
  // nullopt for pointers that were described as two different things.
  using Meanings = std::map<Pointers, std::optional<Meaning>>;
  using MeaningRange = std::pair<Meanings::const_iterator, Meanings::const_iterator>;

  size_t LookUp(const xnn_weights_cache_look_up_key& key) noexcept;
  void* ReserveSpace(size_t size) noexcept;
  size_t LookUpOrInsert(const xnn_weights_cache_look_up_key& key, const void* packed) noexcept;

  // Null if nothing is known of it.
  const WeightIdentity* IdentityOf(size_t number) const;
  const PackedWeight* Pinned(const WeightTable::Entry& entry) const;
  // What was described that XNNPACK may mean by a key.
  MeaningRange Candidates(const xnn_weights_cache_look_up_key& key) const;
  // Null if that is nothing or not one thing.
  const Meaning* Find(const xnn_weights_cache_look_up_key& key) const;
  void TellBeforePacking(const xnn_weights_cache_look_up_key& key);
  void TellAfterServing(const xnn_weights_cache_look_up_key& key);
  // Null if it is neither pinned nor in the cache, which then has a claim on it.
  const PackedWeight* Pin(const PackKey& key, bool has_namesake);
  size_t Insert(const Meaning* weight, uint32_t seed);
  void Fail(Status status);

  // A weight by its key, which the cache keeps.
  struct ByKey {
    using is_transparent = void;
    bool operator()(const PackedWeight& a, const PackedWeight& b) const {
      return a.key() < b.key();
    }
    bool operator()(const PackedWeight& a, const PackKey& b) const { return a.key() < b; }
    bool operator()(const PackKey& a, const PackedWeight& b) const { return a < b.key(); }
  };

  // What nothing but a build needs: most of a provider, which may be one of hundreds in a program.
  struct Build {
    std::vector<WeightIdentity> described;  // by number
    Meanings meanings;
    // What all pairs of one kernel mean; null if they are not one thing.
    std::unordered_map<const void*, const Meaning*> kernel_meanings;
    PackingObserver* observer = nullptr;
    WeightTable* table = nullptr;
    std::unordered_set<const void*> told_kernels;  // together with all their biases
    std::optional<PackTransaction> transaction;
    Status status;
  };
  Build& NeedBuild();

  const std::shared_ptr<WeightCache> cache_;
  const Hits hits_;
  std::unique_ptr<Build> build_;  // null when pointers are forgotten
  std::set<PackedWeight, ByKey> pins_;
  // Without a build: what was described, by number, in the keys of pins_. Null for what is not
  // pinned.
  std::vector<const WeightIdentity*> pinned_;
};

// Names the code that packs: the XNNPACK build, and the CPU features and core type it chooses
// kernels from. The same for the whole life of a process.
const Digest& LayoutFingerprint();

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_XNN_XNN_PROVIDER_H_
