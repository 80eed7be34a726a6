// From a stage of a plan and its pinned weights to an XNNPACK subgraph.
//
// A subgraph serves for one runtime (XNNPACK changes it while creating one) and is defined once
// more for the next.

#ifndef ONEPACK_DELEGATE_RUNNING_GRAPH_DEFINITION_H_
#define ONEPACK_DELEGATE_RUNNING_GRAPH_DEFINITION_H_

#include <stddef.h>

#include <vector>

#include "delegate/packing/raw_weight.h"
#include "delegate/plan/payload_contents.h"
#include "delegate/plan/plan.h"
#include "delegate/xnn/handles.h"
#include "delegate/xnn/ones.h"
#include "delegate/xnn/weight_table.h"
#include "onepack/buffer.h"
#include "onepack/result.h"
#include "onepack/span.h"

namespace onepack {

// Constants that XNNPACK reads where they are, for as long as a runtime lives.
class InPlaceConstants {
 public:
  // Where a constant is: in its file, or in a copy where that is small, unaligned, or too near its
  // end. Takes copies from the budget. Errors: kInvalidFile where all copies together take too
  // much; those of reading. May throw std::bad_alloc.
  Result<const void*> Place(const Constant& constant, ByteBudget& budget);

  // Whether any of them is in its file.
  bool depend_on_files() const { return !in_files_.empty(); }

 private:
  std::vector<Buffer> in_files_;
  std::vector<std::vector<uint8_t>> copies_;
};

struct GraphDefinition {
  XnnSubgraph subgraph;
  // The runtime needs these for as long as it lives.
  InPlaceConstants in_place;

  // And the rest until it is created.
  std::vector<WeightTable::Row> rows;  // of the stage's weights
  Placeholders placeholders;
  std::vector<RawWeight> raw_weights;
  ScaleStorage scales;
};

// XNNPACK is shown placeholders and ones for the weights that it will find packed, and raw bytes
// for the others: those that it packs without looking up, and `needed_raw`, by their numbers in the
// stage. `ones` outlive the definition. Errors: name the value or the node; those of reading.
Result<GraphDefinition> DefineGraph(const Plan& plan, const Stage& stage,
                                    Span<const size_t> needed_raw, OnesStore& ones);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_RUNNING_GRAPH_DEFINITION_H_
