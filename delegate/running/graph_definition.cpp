#include "delegate/running/graph_definition.h"

#include <algorithm>
#include <utility>

#include "delegate/graph/quantization.h"
#include "delegate/ops/define_value.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

using wire::xnnpack::XNode;

class Definer {
 public:
  Definer(const Plan& plan, const Stage& stage, Span<const size_t> needed_raw,
          InPlaceConstants& in_place, OnesStore& ones)
      : plan_(plan), stage_(stage), needed_raw_(needed_raw), in_place_(in_place), ones_(ones) {}

  Result<GraphDefinition> Define() {
    xnn_subgraph_t subgraph = nullptr;
    const auto externals = static_cast<uint32_t>(stage_.externals.size());
    ONEPACK_RETURN_IF_XNN_ERROR(xnn_create_subgraph(externals, 0, &subgraph),
                                "creating a subgraph");
    made_.subgraph.reset(subgraph);
    ONEPACK_RETURN_IF_ERROR(DefineValues());
    ONEPACK_ASSIGN_OR_RETURN(made_.placeholders, Placeholders::Create(2 * stage_.weight_count));
    made_.rows.reserve(stage_.weight_count);
    ONEPACK_RETURN_IF_ERROR(DefineNodes());
    return std::move(made_);
  }

 private:
  Status DefineValues() {
    values_.reserve(plan_.values.size());
    external_ids_.reserve(stage_.externals.size());
    for (uint32_t i = 0; i < stage_.externals.size(); ++i) {
      external_ids_.Add(stage_.externals[i].value_id, i);
    }
    for (size_t i = 0; i < plan_.values.size(); ++i) {
      const auto& [id, value] = plan_.values.begin()[i];
      const Role role = stage_.roles[i];
      if (role == Role::kUnused) {
        // It has its place, so that the ids behind it are places, too. Other ids are looked for
        // among those that the stage uses: very many stages of very many values take no time for
        // it.
        if (plan_.values.is_counted()) values_.Add(id, {});
        continue;
      }
      Status status = DefineOne(id, value, role);
      if (!status.ok()) return std::move(status).WithContext("graph value %u", id);
    }
    return Status::Ok();
  }

  Status DefineOne(uint32_t id, const GraphValue& value, Role role) {
    ShownValue shown;
    shown.datatype = value.tensor().datatype();
    shown.dims = Shape(DimsOf(value.tensor()));
    switch (role) {
      case Role::kExternal:
      case Role::kUnread:
        // XNNPACK would forget a value that nothing reads, and then let the node write to nowhere.
        shown.external_id = external_ids_.at(id);
        shown.flags = stage_.externals[shown.external_id].is_written
                          ? XNN_VALUE_FLAG_EXTERNAL_OUTPUT
                          : XNN_VALUE_FLAG_EXTERNAL_INPUT;
        break;
      case Role::kInPlace: {
        const Payload& payload = plan_.payload();
        ONEPACK_ASSIGN_OR_RETURN(shown.data, in_place_.Place(payload, value.constant_index()));
        ONEPACK_ASSIGN_OR_RETURN(shown.scales, ScalesFor(payload, value, made_.scales));
        break;
      }
      case Role::kInternal:
        // XNNPACK plans at least as much memory as it is told at definition, and never less: so it
        // is told of one element, and the value grows when a run needs more.
        shown.dims = Shape::OfOnes(value.rank());
        break;
      case Role::kBounded:
      case Role::kUnused:
        break;
    }
    DefinedValue defined{&value, value.datatype()};
    ONEPACK_ASSIGN_OR_RETURN(defined.xnn_id, DefineValue(made_.subgraph.get(), value, shown));
    values_.Add(id, defined);
    if (shown.scales != nullptr) DropScales(ScaleIndexOf(value));
    return Status::Ok();
  }

  // XNNPACK has looked at them: their pages are dropped. A later read would bring them back.
  void DropScales(uint32_t scale_index) const {
    if (scale_index != 0) plan_.payload().constant(scale_index).Discard();
  }

  Status DefineNodes() {
    for (const uint32_t i : stage_.nodes) {
      const XNode& node = *plan_.graph().xnodes()->Get(i);
      Status status = DefineNode(i, node);
      if (!status.ok()) return WithNode(std::move(status), i, node);
    }
    return Status::Ok();
  }

  Status DefineNode(uint32_t index, const XNode& node) {
    NodeDefinition definition{made_.subgraph.get(), values_};
    const size_t number = made_.rows.size();
    const Weight* weights = plan_.weights.data() + stage_.first_weight;
    if (number < stage_.weight_count && weights[number].node == index) {
      const Weight& weight = weights[number];
      ONEPACK_ASSIGN_OR_RETURN(const ShownWeight shown, Show(weight, number));
      ONEPACK_RETURN_IF_ERROR(DefineWeight(plan_, weight, shown, &definition));
      if (weight.reads_scales) DropScales(weight.kernel.scale_index);
    }
    return FindOp(node.xnode_union_type())->define(definition, node);
  }

  // Adds a row.
  Result<ShownWeight> Show(const Weight& weight, size_t number) {
    const bool is_raw =
        weight.packing != Packing::kLookedUp ||
        std::find(needed_raw_.begin(), needed_raw_.end(), number) != needed_raw_.end();
    ShownWeight shown;
    if (is_raw) {
      ONEPACK_ASSIGN_OR_RETURN(RawWeight raw, RawWeight::Read(plan_, weight, nullptr));
      shown = made_.raw_weights.emplace_back(std::move(raw)).shown();
    } else {
      ONEPACK_ASSIGN_OR_RETURN(shown.kernel, ShowPacked(weight, weight.kernel, 2 * number));
      if (weight.bias.is_present()) {
        ONEPACK_ASSIGN_OR_RETURN(shown.bias, ShowPacked(weight, weight.bias, 2 * number + 1));
      }
    }
    made_.rows.push_back({shown.kernel.data, is_raw});
    return shown;
  }

  Result<ShownConstant> ShowPacked(const Weight& weight, const WeightOperand& operand,
                                   size_t placeholder) {
    const GraphValue& value = plan_.values.at(operand.value_id);
    ShownConstant shown;
    shown.data = made_.placeholders[placeholder];
    if (weight.reads_scales) {
      ONEPACK_ASSIGN_OR_RETURN(shown.scales, ScalesFor(plan_.payload(), value, made_.scales));
    } else {
      shown.scales = OnesFor(value, ones_);
    }
    return shown;
  }

  const Plan& plan_;
  const Stage& stage_;
  const Span<const size_t> needed_raw_;
  InPlaceConstants& in_place_;
  OnesStore& ones_;
  GraphDefinition made_;
  ValueMap<DefinedValue> values_;
  ValueMap<uint32_t> external_ids_;
};

}  // namespace

Result<GraphDefinition> DefineGraph(const Plan& plan, const Stage& stage,
                                    Span<const size_t> needed_raw, InPlaceConstants& in_place,
                                    OnesStore& ones) {
  return Definer(plan, stage, needed_raw, in_place, ones).Define();
}

}  // namespace onepack
