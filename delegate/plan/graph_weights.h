// What the nodes of a graph have packed: found in the cache, or described for XNNPACK and for those
// who pack ahead. A part of building a graph (graph_builder.h).
//
// Threads: one at a time.

#ifndef ONEPACK_DELEGATE_PLAN_GRAPH_WEIGHTS_H_
#define ONEPACK_DELEGATE_PLAN_GRAPH_WEIGHTS_H_

#include <unordered_set>
#include <vector>

#include "delegate/graph/payload.h"
#include "delegate/graph/value_map.h"
#include "delegate/ops/op.h"
#include "delegate/packing/lone_node.h"
#include "delegate/plan/byte_budget.h"
#include "delegate/plan/graph_builder.h"

namespace onepack {

class GraphWeights {
 public:
  // Refers to all of them. What is found of weights is noted in `values`.
  GraphWeights(const Payload& payload, const GraphOptions& options, ValueMap<GraphValue>& values)
      : payload_(payload), options_(options), values_(values) {}

  // For each node that is needed, in order. REQUIRES: all values are described, and the operands of
  // the node are among them.
  void Identify(const Op& op, const wire::xnnpack::XNode& node);

  // After all nodes, and in this order:

  // kInvalidFile where packing would take too much.
  Status CheckBytes(ByteBudget& budget);
  // kUnsupported for a value that one node needs widened, and another as it is.
  Status WidenValues();
  // Pins what is there, and packs what is large; kernels that nobody will pack are `with_ones`.
  // Errors: those of SlicedPacker.
  Status FindInCache(BuiltGraph& graph);
  // Fills the weights, and tells GraphOptions::raw_weights of them. REQUIRES: constants have
  // addresses. Errors: those of reading what XNNPACK will pack without asking.
  Status Describe(BuiltGraph& graph) const;
  // Of those weights, what can be packed apart.
  void CutOutPackableNodes(BuiltGraph& graph) const;
  // What graphs of one structure have in common. False where XNNPACK packs without asking: a
  // runtime is then the graph's own.
  bool AddTo(DigestBuilder& structure) const;

 private:
  void FindEqualUses();
  Result<PackedWeight> PackIfLarge(size_t use_index);
  WeightDescription DescriptionOf(const PackedUse& use) const;
  std::unordered_set<const void*> AddressesReadUnasked() const;
  LoneNode CutOut(size_t use_index) const;

  const Payload& payload_;
  const GraphOptions& options_;
  ValueMap<GraphValue>& values_;
  std::vector<PackedUse> uses_;
  // Parallel to uses_.
  std::vector<const wire::xnnpack::XNode*> nodes_;
  std::vector<size_t> first_equals_;  // the first use of an equal identity
};

// The bytes of raw weights that RawWeights will count as served when a runtime for this graph is
// created.
uint64_t RawWeightBytes(const Payload& payload);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PLAN_GRAPH_WEIGHTS_H_
