#include "delegate/plan/stage_cutter.h"

#include <assert.h>

#include <algorithm>
#include <utility>

#include "delegate/ops/op.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

using wire::xnnpack::XNode;
using wire::xnnpack::XNodeUnion;

// Of a model of a hundred layers in one delegate there are some millions, and some hundreds.
constexpr size_t kMostRoles = size_t{1} << 26;
constexpr size_t kMostCrossings = size_t{1} << 13;

// What the node reads when it runs, and not only to pack it.
Operands::Ids ReadOperands(const Operands& operands, const ValueMap<GraphValue>& values) {
  const bool is_packed = std::all_of(operands.packed.begin(), operands.packed.end(),
                                     [&](uint32_t id) { return values.at(id).is_constant(); });
  return is_packed ? operands.NotPacked() : operands.inputs;
}

}  // namespace

bool NeedsBounds(const XNode& node) {
  return node.xnode_union_type() == XNodeUnion::XNNScaledDotProductAttention ||
         node.xnode_union_type() == XNodeUnion::XNNArgMaxPooling2d;
}

CutGraph StageCutter::Cut(std::vector<Weight>& weights) {
  lives_.resize(values_.size());
  for (const uint32_t node : nodes_) Place(node);
  CutGraph cut;
  // Each stage knows all values, and crossings are compared with each other.
  cut.is_too_large = stages_.size() > 1 && (stages_.size() > kMostRoles / values_.size() ||
                                            CrossingCount() > kMostCrossings);
  if (cut.is_too_large) return cut;
  AddWeights(weights);
  for (size_t level = 0; level < stages_.size(); ++level) {
    if (!RunsLinears(level)) AddRoles(level);
  }
  cut.crossings = Crossings();
  MoveStages(&cut);
  return cut;
}

// Floats in the place of what they are quantized to.
Operands::Ids StageCutter::InputsOf(uint32_t node) const {
  const auto linear = linears_.find(node);
  if (linear != linears_.end()) return {linear->second.input_id};
  Operands::Ids inputs = ReadOperands(OperandsOf(WireNode(node)), values_);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (const Rounding* rounding = roundings_.Find(inputs[i])) inputs[i] = rounding->floats_id;
  }
  return inputs;
}

void StageCutter::Place(uint32_t node) {
  const Operands operands = OperandsOf(WireNode(node));
  if (roundings_.Find(operands.outputs[0]) != nullptr) return;  // placed with its readers
  const auto linear = linears_.find(node);
  const bool is_linear = linear != linears_.end();
  const Operands::Ids inputs = InputsOf(node);
  size_t level = is_linear ? 1 : 0;
  for (const uint32_t id : inputs) {
    const Life& input = LifeOf(id);
    if (!input.is_computed) continue;
    level = std::max(level, input.first + (RunsLinears(input.first) == is_linear ? 0 : 1));
  }
  for (const uint32_t id : inputs) {
    Life& input = LifeOf(id);
    input.last = std::max(input.last, level);
    input.is_read = true;
  }
  for (const uint32_t id : operands.outputs) LifeOf(id) = {true, false, level, level};
  if (stages_.size() <= level) stages_.resize(level + 1);
  Stage& stage = stages_[level];
  if (is_linear) {
    stage.linears.push_back({linear->second, node, 0});
  } else {
    PlaceInputs(node, stage);
    stage.nodes.push_back(node);
  }
}

// The nodes that quantize what the node reads.
void StageCutter::PlaceInputs(uint32_t node, Stage& stage) {
  for (const uint32_t id : OperandsOf(WireNode(node)).inputs) {
    const Rounding* rounding = roundings_.Find(id);
    if (rounding == nullptr) continue;
    if (placed_.insert({&stage - stages_.data(), rounding->node}).second) {
      stage.nodes.push_back(rounding->node);
    }
  }
}

void StageCutter::AddWeights(std::vector<Weight>& weights) {
  const auto find = [&](uint32_t node) -> const Weight* {
    const auto is_before = [](const Weight& weight, uint32_t wanted) {
      return weight.node < wanted;
    };
    const auto found = std::lower_bound(weights.begin(), weights.end(), node, is_before);
    return found != weights.end() && found->node == node ? &*found : nullptr;
  };
  std::vector<Weight> ordered;
  ordered.reserve(weights.size());
  for (Stage& stage : stages_) {
    stage.first_weight = ordered.size();
    for (const uint32_t node : stage.nodes) {
      if (const Weight* weight = find(node)) ordered.push_back(*weight);
    }
    for (Linear& linear : stage.linears) {
      linear.weight = ordered.size();
      const Weight* weight = find(linear.index);
      assert(weight != nullptr);  // every linear has one
      ordered.push_back(*weight);
    }
    stage.weight_count = ordered.size() - stage.first_weight;
  }
  weights = std::move(ordered);
}

void StageCutter::AddRoles(size_t level) {
  Stage& stage = stages_[level];
  stage.roles.resize(values_.size());
  for (const uint32_t node : stage.nodes) AddRolesOf(node, level);
}

void StageCutter::AddRolesOf(uint32_t node, size_t level) {
  Stage& stage = stages_[level];
  const auto add_external = [&](uint32_t id, bool is_written, Role role) {
    Role& known = stage.roles[values_.IndexOf(id)];
    if (known == role) return;
    known = role;
    stage.externals.push_back({id, is_written});
  };
  const auto add = [&](uint32_t id, bool is_written) {
    Role& role = stage.roles[values_.IndexOf(id)];
    const Life& life = LifeOf(id);
    if (values_.at(id).is_constant()) {
      role = Role::kInPlace;
    } else if (values_.at(id).is_external() || Crosses(life)) {
      add_external(id, is_written, Role::kExternal);
    } else if (is_written && !life.is_read && roundings_.Find(id) == nullptr) {
      add_external(id, is_written, Role::kUnread);
    } else if (NeedsBounds(WireNode(node))) {
      role = Role::kBounded;
    } else if (role == Role::kUnused) {
      role = Role::kInternal;
    }
  };
  const Operands operands = OperandsOf(WireNode(node));
  for (const uint32_t id : ReadOperands(operands, values_)) add(id, false);
  for (const uint32_t id : operands.outputs) add(id, true);
}

size_t StageCutter::CrossingCount() const {
  return static_cast<size_t>(std::count_if(lives_.begin(), lives_.end(), Crosses));
}

std::vector<Crossing> StageCutter::Crossings() const {
  std::vector<Crossing> crossings;
  crossings.reserve(CrossingCount());
  for (size_t i = 0; i < lives_.size(); ++i) {
    const auto& [id, value] = values_.begin()[i];
    if (value.is_external() || !Crosses(lives_[i])) continue;
    crossings.push_back({id, ElementBits(value.datatype()) / 8, lives_[i].first, lives_[i].last});
  }
  return crossings;
}

// Those that run something.
void StageCutter::MoveStages(CutGraph* cut) {
  cut->stages.reserve(stages_.size());
  std::vector<size_t> places(stages_.size());
  for (size_t level = 0; level < stages_.size(); ++level) {
    places[level] = cut->stages.size();
    Stage& stage = stages_[level];
    if (!stage.nodes.empty() || !stage.linears.empty()) cut->stages.push_back(std::move(stage));
  }
  for (Crossing& crossing : cut->crossings) {
    crossing.first_stage = places[crossing.first_stage];
    crossing.last_stage = places[crossing.last_stage];
  }
}

}  // namespace onepack
