// What will be run for one delegate: a graph that was verified and checked, reduced to the nodes
// that compute its outputs, in stages, with its weights. Made by MakePlan, without a call to
// XNNPACK; immutable from then on, but for the shapes of the call at hand.
//
// Ownership: keeps the payload and its constants.
// Threads:   one at a time.

#ifndef ONEPACK_DELEGATE_PLAN_PLAN_H_
#define ONEPACK_DELEGATE_PLAN_PLAN_H_

#include <stddef.h>
#include <stdint.h>

#include <memory>
#include <optional>
#include <vector>

#include "base/digest.h"
#include "base/value_map.h"
#include "delegate/graph/graph_value.h"
#include "delegate/ops/weight.h"
#include "delegate/plan/payload_contents.h"
#include "delegate/plan/shape_inference.h"
#include "delegate/plan/stage.h"
#include "onepack/linear_layout.h"
#include "onepack/result.h"

namespace onepack {

// A value that the delegate call's argument number `external_id` fills or receives.
struct ExternalValue {
  uint32_t external_id = 0;
  uint32_t value_id = 0;
  bool is_output = false;
  bool is_index = false;  // of an arg-max: XNNPACK does not know its shape
  wire::xnnpack::XNNDatatype datatype = wire::xnnpack::XNNDatatype::invalid;
  Shape bound;  // as in the file
};

struct PlanOptions {
  // That intermediate values may take: CheckActivations.
  uint64_t max_activation_bytes = UINT64_MAX;
  LinearLayout linears = LinearLayout::kPacked;
};

struct Plan {
  const Payload& payload() const { return contents->payload(); }
  const wire::xnnpack::XNNGraph& graph() const { return payload().graph(); }

  std::shared_ptr<const PayloadContents> contents;
  // Without linears in place where the stages of a graph with them take too much.
  PlanOptions options;
  size_t delegate_index = 0;  // in the method, for messages

  ValueMap<GraphValue> values;           // by id_out
  std::vector<ExternalValue> externals;  // inputs and outputs, each id once
  uint32_t external_count = 0;           // arguments of the delegate call
  std::vector<Stage> stages;             // of the nodes that are needed for an output
  std::vector<Crossing> crossings;       // between them
  std::vector<Weight> weights;           // in the order of the stages and of what is in them
  ShapeInference shapes;                 // of the nodes that are needed

  // Equal for graphs that are in use and whose runtimes can take each other's place: they differ in
  // what is packed, and in nothing else. None where XNNPACK packs without looking up first.
  std::optional<Digest> structure;
};

// From a payload to a plan: every check that a graph has to pass before it is run. Reads no
// constant. Errors: kInvalidFile for a graph that is not in order (each value defined once, before
// it is read); kUnsupported names the node; kMismatch names the constant whose size is not what the
// graph expects; kResourceExhausted names the node that needs more memory than is allowed.
Result<Plan> MakePlan(std::shared_ptr<const PayloadContents> contents, const PlanOptions& options);

// The same for a payload with the graph of `like`, and with its options: takes over what was found
// out about the graph, and looks at the constants. Errors: those of constants.
// REQUIRES: both payloads have a graph_id(), and it is equal.
Result<Plan> MakePlanLike(const Plan& like, std::shared_ptr<const PayloadContents> contents);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PLAN_PLAN_H_
