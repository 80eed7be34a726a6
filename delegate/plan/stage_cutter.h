// Cuts the nodes of a graph into stages.

#ifndef ONEPACK_DELEGATE_PLAN_STAGE_CUTTER_H_
#define ONEPACK_DELEGATE_PLAN_STAGE_CUTTER_H_

#include <stdint.h>

#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/value_map.h"
#include "delegate/graph/graph_value.h"
#include "delegate/ops/weight.h"
#include "delegate/plan/linears.h"
#include "delegate/plan/stage.h"
#include "onepack/span.h"

namespace onepack {

// Whether XNNPACK is shown the bounds of the node's values, and takes memory for them: it compares
// the dims of attention's operands when the node is defined, and never computes those of indices.
bool NeedsBounds(const wire::xnnpack::XNode& node);

struct CutGraph {
  // The stages would take too much: then there are none, and the graph is to be run in one.
  bool is_too_large = false;
  std::vector<Stage> stages;
  std::vector<Crossing> crossings;
};

class StageCutter {
 public:
  // `nodes` are those that an output needs, in order; `linears` those of them that run in place, by
  // node; `roundings` of the values that are quantized at run time, where there are linears. All
  // outlive it.
  StageCutter(const wire::xnnpack::XNNGraph& graph, const ValueMap<GraphValue>& values,
              const std::vector<uint32_t>& nodes,
              const std::unordered_map<uint32_t, LinearNode>& linears,
              const ValueMap<Rounding>& roundings)
      : graph_(graph), values_(values), nodes_(nodes), linears_(linears), roundings_(roundings) {}

  // As few stages as there can be: a node is in the first one after all that it reads. Brings
  // `weights`, which are in the order of these nodes, into that of the stages. REQUIRES: a graph
  // that is in order.
  CutGraph Cut(std::vector<Weight>& weights);

 private:
  // A stage of XNNPACK's, then one of linears, and so on.
  static bool RunsLinears(size_t level) { return level % 2 != 0; }

  // Of a value, by levels.
  struct Life {
    bool is_computed = false;  // a node writes it
    bool is_read = false;
    size_t first = 0;  // where it is written
    size_t last = 0;   // where it is read last
  };

  const wire::xnnpack::XNode& WireNode(uint32_t index) const {
    return *graph_.xnodes()->Get(index);
  }
  Life& LifeOf(uint32_t value_id) { return lives_[values_.IndexOf(value_id)]; }
  Operands::Ids InputsOf(uint32_t node) const;
  void Place(uint32_t node);
  void PlaceInputs(uint32_t node, Stage& stage);
  void AddWeights(std::vector<Weight>& weights);
  void AddRoles(size_t level);
  void AddRolesOf(uint32_t node, size_t level);
  static bool Crosses(const Life& life) {
    return life.is_computed && (RunsLinears(life.first) || life.last > life.first);
  }
  size_t CrossingCount() const;
  std::vector<Crossing> Crossings() const;
  void MoveStages(CutGraph* cut);

  const wire::xnnpack::XNNGraph& graph_;
  const ValueMap<GraphValue>& values_;
  const std::vector<uint32_t>& nodes_;
  const std::unordered_map<uint32_t, LinearNode>& linears_;
  const ValueMap<Rounding>& roundings_;
  std::vector<Stage> stages_;                        // by level
  std::vector<Life> lives_;                          // of all values
  std::set<std::pair<ptrdiff_t, uint32_t>> placed_;  // levels, and nodes that quantize there
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PLAN_STAGE_CUTTER_H_
