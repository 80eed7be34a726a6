// From a stage of a plan and its pinned weights to an XNNPACK subgraph.
//
// A subgraph serves for one runtime (XNNPACK changes it while creating one) and is defined once
// more for the next.

#ifndef ONEPACK_DELEGATE_RUNNING_GRAPH_DEFINITION_H_
#define ONEPACK_DELEGATE_RUNNING_GRAPH_DEFINITION_H_

#include <stddef.h>

#include <vector>

#include "delegate/packing/raw_weight.h"
#include "delegate/plan/plan.h"
#include "delegate/running/in_place_constants.h"
#include "delegate/xnn/handles.h"
#include "delegate/xnn/ones.h"
#include "delegate/xnn/weight_table.h"
#include "onepack/result.h"
#include "onepack/span.h"

namespace onepack {

// The runtime needs all of it until it is created.
struct GraphDefinition {
  XnnSubgraph subgraph;
  std::vector<WeightTable::Row> rows;  // of the stage's weights
  Placeholders placeholders;
  std::vector<RawWeight> raw_weights;
  ScaleStorage scales;
};

// XNNPACK is shown placeholders and ones for the weights that it will find packed, and raw bytes
// for the others: those that it packs without looking up, and `needed_raw`, by their numbers in the
// stage. Constants that XNNPACK reads where they are get their places from `in_place`, which
// outlives the runtime; `ones` outlive the definition. Errors: name the value or the node; those of
// reading.
Result<GraphDefinition> DefineGraph(const Plan& plan, const Stage& stage,
                                    Span<const size_t> needed_raw, InPlaceConstants& in_place,
                                    OnesStore& ones);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_RUNNING_GRAPH_DEFINITION_H_
