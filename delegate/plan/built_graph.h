// A graph that XNNPACK may be given: checked, with an address for every constant, and with all that
// is known of its weights.

#ifndef ONEPACK_DELEGATE_PLAN_BUILT_GRAPH_H_
#define ONEPACK_DELEGATE_PLAN_BUILT_GRAPH_H_

#include <stdint.h>

#include <optional>
#include <utility>
#include <vector>

#include "delegate/graph/graph_value.h"
#include "delegate/graph/scales.h"
#include "delegate/graph/value_map.h"
#include "delegate/packing/lone_node.h"
#include "delegate/plan/shape_inference.h"
#include "delegate/xnn/xnn_provider.h"
#include "runtime/buffer.h"
#include "weight_cache/weight_cache.h"

namespace onepack {

// A value that the delegate call's argument number `external_id` fills or receives.
struct ExternalValue {
  uint32_t external_id = 0;
  uint32_t value_id = 0;
  bool is_output = false;
  wire::xnnpack::XNNDatatype datatype = wire::xnnpack::XNNDatatype::invalid;
  Shape bound;            // as in the file
  bool is_index = false;  // of an arg-max: XNNPACK does not know its shape
};

// A weight to be packed or found, by the addresses XNNPACK knows it by.
struct DescribedWeight {
  const void* kernel;
  const void* bias;  // null for none
  WeightDescription description;
};

// A node whose weight has to be packed, cut out of its graph.
struct PackableNode {
  size_t weight;  // in BuiltGraph::weights
  LoneNode alone;
};

// What lives as long as the runtime.
struct GraphParts {
  std::vector<ExternalValue> externals;  // inputs and outputs, each id once
  uint32_t external_count = 0;           // arguments of the delegate call

  // Constants that XNNPACK reads in place.
  std::vector<Buffer> in_place;
  std::vector<std::vector<uint8_t>> in_place_copies;

  // Of the nodes that compute the outputs.
  ShapeInference shapes;
};

// What creating the runtime needs besides.
struct BuiltGraph {
  GraphParts parts;
  // Equal for graphs whose runtimes can take each other's place: they differ in what is packed, and
  // in nothing else. None where XNNPACK packs without asking first.
  std::optional<Digest> structure;
  ValueMap<GraphValue> values;  // by id_out
  std::vector<uint32_t> nodes;  // that are needed for an output, in order
  std::vector<DescribedWeight> weights;
  std::vector<PackableNode> packable_nodes;  // if they were wanted
  // Those of the raw weights that XNNPACK packs without a word.
  std::vector<std::pair<const void*, const void*>> private_weights;  // kernel and bias
  ScaleStorage scales;
  // Keeps what was found in the cache beforehand there until the runtime has its own pins.
  std::vector<PackedWeight> expected_hits;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PLAN_BUILT_GRAPH_H_
