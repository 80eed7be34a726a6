// From a payload's graph to an XNNPACK subgraph.
//
// A subgraph serves for one runtime (XNNPACK changes it while creating one) and is built anew for the next.

#ifndef ONEPACK_DELEGATE_GRAPH_BUILDER_H_
#define ONEPACK_DELEGATE_GRAPH_BUILDER_H_

#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "delegate/graph_value.h"
#include "delegate/ops/op.h"
#include "delegate/payload.h"
#include "delegate/quantization.h"
#include "delegate/xnn_handles.h"

namespace onepack {

// A value that the delegate call's argument number `external_id` fills or receives.
struct ExternalValue {
  uint32_t external_id = 0;
  bool is_output = false;
  wire::xnnpack::XNNDatatype datatype = wire::xnnpack::XNNDatatype::invalid;
  std::vector<size_t> dims;  // as in the file: the upper bound of a dynamic shape
};

struct BuiltGraph {
  XnnSubgraph subgraph;
  std::vector<PackedOperand> packed_operands;
  std::vector<ExternalValue> externals;  // inputs and outputs, each id once
  uint32_t external_count = 0;           // arguments of the delegate call

  // Constants that XNNPACK reads in place: they must live as long as the runtime.
  std::vector<Buffer> in_place;
  std::vector<std::vector<uint8_t>> in_place_copies;
  // Needed until the runtime is created.
  std::vector<Buffer> packed_once;
  ScaleStorage scales;

  // How the shapes of inputs determine the others; see ShapePattern in executor.h.
  bool has_broadcasts = false;
  bool computes_dims = false;
};

// Errors: kInvalidFile for a graph that is not in order (each value defined once, before it is read); kUnsupported names
// the node; kMismatch names the constant whose size is not what the graph expects.
Result<BuiltGraph> BuildGraph(const Payload& payload);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_GRAPH_BUILDER_H_
