#include "delegate/packing/shown_weight.h"

#include "delegate/ops/define_value.h"

namespace onepack {
namespace {

// `channel_dim` is that of the output channels.
Result<DefinedValue> Define(const Plan& plan, const WeightOperand& operand,
                            const ShownConstant& constant, std::optional<size_t> channels,
                            size_t channel_dim, xnn_subgraph_t subgraph) {
  DefinedValue defined;
  defined.value = &plan.values.at(operand.value_id);
  defined.datatype = operand.datatype;
  ShownValue shown;
  shown.datatype = operand.datatype;
  shown.dims = Shape(DimsOf(defined.value->tensor()));
  if (channels) shown.dims[channel_dim] = *channels;
  shown.data = constant.data;
  shown.scales = constant.scales;
  auto id = DefineValue(subgraph, *defined.value, shown);
  if (!id.ok()) return id.TakeStatus().WithContext("graph value %u", operand.value_id);
  defined.xnn_id = *id;
  return defined;
}

}  // namespace

Status DefineWeight(const Plan& plan, const Weight& weight, const ShownWeight& shown,
                    NodeDefinition* node) {
  ONEPACK_ASSIGN_OR_RETURN(node->kernel, Define(plan, weight.kernel, shown.kernel, shown.channels,
                                                /*channel_dim=*/0, node->subgraph));
  if (!weight.bias.is_present()) return Status::Ok();
  const size_t rank = plan.values.at(weight.bias.value_id).rank();
  ONEPACK_ASSIGN_OR_RETURN(
      node->bias, Define(plan, weight.bias, shown.bias, shown.channels, rank - 1, node->subgraph));
  return Status::Ok();
}

}  // namespace onepack
