// From a payload to a graph that XNNPACK may be given. XNNPACK itself comes after that
// (graph_definition.h).

#ifndef ONEPACK_DELEGATE_PLAN_GRAPH_BUILDER_H_
#define ONEPACK_DELEGATE_PLAN_GRAPH_BUILDER_H_

#include <functional>
#include <memory>
#include <optional>

#include "base/digest.h"
#include "base/result.h"
#include "delegate/graph/payload.h"
#include "delegate/packing/raw_weights.h"
#include "delegate/plan/built_graph.h"
#include "delegate/xnn/ones.h"
#include "weight_cache/weight_cache.h"

namespace onepack {

class SlicedPacker;

struct GraphOptions {
  WeightCache& cache;
  // Gets the weights that XNNPACK packs.
  RawWeights& raw_weights;
  // What the intermediate values may take; see CheckActivations.
  uint64_t max_activation_bytes;
  // Do not read the scales of weights that the cache has.
  bool trust_cache = true;
  // Asked with BuiltGraph::structure; may be empty.
  std::function<bool(const std::optional<Digest>& structure)> wants_packable_nodes = {};
  // To take ones from, together with other graphs; null for some of its own.
  std::shared_ptr<OnesStore> ones = nullptr;
  // Packs large weights that are trusted to be in the cache and are not there; null: they are left
  // to the runtime, as all others are.
  SlicedPacker* sliced_packer = nullptr;
};

// Errors: kInvalidFile for a graph that is not in order (each value defined once, before it is
// read); kUnsupported names the node; kMismatch names the constant whose size is not what the graph
// expects; kResourceExhausted names the node that needs more memory than is allowed; kCancelled
// while a large weight is packed.
Result<BuiltGraph> BuildGraph(const Payload& payload, const GraphOptions& options);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PLAN_GRAPH_BUILDER_H_
