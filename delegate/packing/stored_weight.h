// A weight that runs as it is stored: from the file to the cache, and from the cache to what a
// linear takes.
//
// The cache's entry pins the bytes of kernel and scales where they are: in a mapped file, in the
// application's memory, or in the copy that another source gives. Its packed bytes are what is
// computed once: a float for each output (linear::WeightSums), the bias as floats, and scales that
// stand in the graph itself.
//
// Threads: one at a time; several threads may read one constant at once, each through its own.
// Errors:  those of reading; kInvalidFile for scales that are not positive and finite.

#ifndef ONEPACK_DELEGATE_PACKING_STORED_WEIGHT_H_
#define ONEPACK_DELEGATE_PACKING_STORED_WEIGHT_H_

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "delegate/ops/linear_node.h"
#include "delegate/ops/scale_storage.h"
#include "delegate/packing/raw_weight.h"
#include "delegate/plan/plan.h"
#include "linear/linear.h"
#include "onepack/result.h"
#include "weight_cache/packed_weight_cache.h"

namespace onepack {

class StoredWeight {
 public:
  // Finds and pins the bytes, and checks the scales. Starts to read the kernel from the disk if
  // Compute will need it, or if it `is_prefetched` in any case. `registry` gets the hashes; null
  // for none. `plan` outlives it. REQUIRES: Packing::kAsStored.
  static Result<StoredWeight> Read(const Plan& plan, const Weight& weight, bool is_prefetched,
                                   ContentRegistry* registry);

  // What Compute writes.
  size_t computed_bytes() const;
  void Compute(uint8_t* memory) const;

  // What the entry keeps.
  StoredBytes Release() &&;

 private:
  StoredWeight() = default;

  linear::Weights weights_;
  Buffer kernel_;
  Buffer scales_;  // empty where the graph has them itself, or there are none
  const Constant* constant_ = nullptr;
  const Constant* scale_constant_ = nullptr;  // null where `scales_` is empty
  ScaleStorage scale_storage_;
  Bytes graph_scales_;
  RawConstant bias_;
  size_t bias_bytes_ = 0;
};

// What a linear computes with: valid while `pin` is. REQUIRES: a pin of the node's weight.
struct LinearOperands {
  linear::Weights weights;
  const float* sums = nullptr;  // null for weights that are floats
  const float* bias = nullptr;  // null for none
};
LinearOperands OperandsOf(const LinearNode& node, bool has_bias, const PackedWeight& pin);

// Their layout, in their keys. Equal for all of them but those in memory that a source does not
// keep (DataSource::keeps_bytes): these have a layout for each source. REQUIRES:
// Packing::kAsStored.
Digest LayoutAsStored(const Plan& plan, const Weight& weight);

// Whether the files of weights are what they were when they were mapped: what was computed from one
// that was rewritten is no longer true. Looks at sizes and times; once at each file whose weights
// follow each other.
class UnchangedFiles {
 public:
  // kFailedPrecondition names the file. REQUIRES: a pin of such a weight.
  Status Check(const PackedWeight& pin);

 private:
  // That were looked at last.
  const DataSource* kernel_source_ = nullptr;
  const DataSource* scale_source_ = nullptr;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PACKING_STORED_WEIGHT_H_
