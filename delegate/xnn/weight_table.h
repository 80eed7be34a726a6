// XNNPACK's weights cache provider interface over pins that are there already: the packed weights
// of one runtime.
//
// An `offset` is the number of a weight. While a runtime is created XNNPACK looks its weights up,
// by the addresses of their kernels, and finds every one that has a pin. Whenever it reshapes the
// runtime it asks for all addresses again, so a table can be pointed to the pins of another
// delegate whose graph differs in nothing but what is packed.
//
// What XNNPACK packs nevertheless stays in the table, for this runtime alone, and is counted as
// private in the cache's statistics. That is so for a weight without a pin, and for a kernel that
// the creation packs without looking up, unless it inserts just what is pinned. And it would be so
// if XNNPACK ever wanted a pinned weight in another layout than it was packed in (LayoutTag): then
// the creation fails, `refused` names the weight, and the caller creates the runtime once more with
// that weight's raw bytes.
//
// Ownership: the pins are the caller's, for as long as the runtime may be reshaped with them. The
//            table outlives its runtime. Not movable: XNNPACK has its address.
// Threads:   one at a time.

#ifndef ONEPACK_DELEGATE_XNN_WEIGHT_TABLE_H_
#define ONEPACK_DELEGATE_XNN_WEIGHT_TABLE_H_

#include <stddef.h>

#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/mapping.h"
#include "delegate/xnn/xnnpack.h"
#include "onepack/result.h"
#include "onepack/span.h"
#include "onepack/status.h"
#include "weight_cache/pack_transaction.h"
#include "weight_cache/packed_weight_cache.h"

namespace onepack {

// Addresses that stand for weights which XNNPACK will find packed: memory that cannot be read.
// XNNPACK wants an address for every weight when a graph is defined, looks the weight up by it, and
// reads what is there only if it has to pack.
class Placeholders {
 public:
  Placeholders() = default;

  // As many different addresses. kResourceExhausted.
  static Result<Placeholders> Create(size_t count);

  // REQUIRES: index < count.
  const void* operator[](size_t index) const { return mapping_.data() + index * kDistance; }

 private:
  static constexpr size_t kDistance = 64;

  explicit Placeholders(Mapping mapping) : mapping_(std::move(mapping)) {}

  Mapping mapping_;
};

class WeightTable {
 public:
  // What XNNPACK is told of a weight.
  struct Row {
    const void* kernel;  // the address that XNNPACK is shown
    // XNNPACK may pack it: there are raw bytes at that address.
    bool is_readable;
  };

  explicit WeightTable(std::shared_ptr<PackedWeightCache> cache);
  WeightTable(const WeightTable&) = delete;
  WeightTable& operator=(const WeightTable&) = delete;

  xnn_weights_cache_t handle() { return &provider_; }

  // Around the creation of the runtime. `pins` are parallel to `rows`, and both stay where they are
  // until End; a pin may be empty if its row is readable. REQUIRES: once. May throw std::bad_alloc.
  void Begin(Span<const Row> rows, Span<const PackedWeight> pins);
  // What went wrong between XNNPACK and the table.
  Status End();

  // Weights that XNNPACK wants otherwise than they were packed.
  const std::vector<size_t>& refused() const { return refused_; }

  // No weight was packed for this runtime alone.
  bool is_shared() const { return private_pins_.empty(); }

  // Whether all pins are there, and of the layout that the runtime was created with.
  bool Fits(Span<const PackedWeight> pins) const;
  // Points the table to other pins, which fit. REQUIRES: is_shared(). May throw std::bad_alloc.
  void PointTo(Span<const PackedWeight> pins);

 private:
  static constexpr size_t kNoRow = SIZE_MAX;

  // What is needed while the runtime is created.
  struct Creation {
    Creation(Span<const Row> some_rows, Span<const PackedWeight> some_pins,
             const std::shared_ptr<PackedWeightCache>& cache)
        : rows(some_rows), pins(some_pins), transaction(cache) {}

    const Span<const Row> rows;
    const Span<const PackedWeight> pins;
    std::unordered_map<const void*, size_t> numbers;  // by kernel; kNoRow if it is ambiguous
    PackTransaction transaction;
    bool is_refused = false;  // the last look-up's
    Status status;
  };

  static WeightTable& Of(void* context) { return *static_cast<WeightTable*>(context); }
  xnn_status Rename(const void* original, const void* alias) noexcept;
  size_t NumberOf(const void* kernel) const;
  bool Fits(size_t number, const xnn_weights_cache_look_up_key& key) const;
  size_t LookUp(const xnn_weights_cache_look_up_key& key) noexcept;
  void* Reserve(size_t size) noexcept;
  size_t LookUpOrInsert(const xnn_weights_cache_look_up_key& key, const void* packed) noexcept;
  size_t KeepPrivate();
  void Fail(Status status);

  const std::shared_ptr<PackedWeightCache> cache_;
  xnn_weights_cache_provider provider_{};
  std::vector<const void*> addresses_;          // by offset: all rows, then private ones
  std::vector<std::optional<LayoutTag>> tags_;  // by number, of those that were served
  std::vector<PackedWeight> private_pins_;
  std::vector<size_t> refused_;
  std::unique_ptr<Creation> creation_;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_XNN_WEIGHT_TABLE_H_
