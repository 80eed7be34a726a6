#include "delegate/packing/node_packer.h"

#include <utility>

#include "delegate/ops/define_value.h"
#include "delegate/ops/unsupported_hardware.h"
#include "delegate/xnn/fork_guard.h"
#include "delegate/xnn/handles.h"
#include "delegate/xnn/packing_provider.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNode;

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

// A node with a weight. Its other operands are the caller's, or one step from that, so that XNNPACK
// leaves none out.
class OneNodeGraph {
 public:
  OneNodeGraph(const Plan& plan, const Weight& weight)
      : plan_(plan),
        weight_(weight),
        node_(*plan.graph().xnodes()->Get(weight.node)),
        operands_(OperandsOf(node_)) {}

  Result<XnnSubgraph> Define(const ShownWeight& shown) {
    xnn_subgraph_t created = nullptr;
    ONEPACK_RETURN_IF_XNN_ERROR(xnn_create_subgraph(2 * Operands::kMaxCount, 0, &created),
                                "creating a subgraph of one node");
    XnnSubgraph subgraph(created);
    values_.reserve(operands_.inputs.size() + operands_.outputs.size());
    NodeDefinition definition{subgraph.get(), values_};
    for (const uint32_t id : operands_.NotPacked()) {
      ONEPACK_RETURN_IF_ERROR(Add(id, XNN_VALUE_FLAG_EXTERNAL_INPUT, created));
    }
    for (const uint32_t id : operands_.outputs) {
      ONEPACK_RETURN_IF_ERROR(Add(id, XNN_VALUE_FLAG_EXTERNAL_OUTPUT, created));
    }
    ONEPACK_RETURN_IF_ERROR(DefineWeight(plan_, weight_, shown, &definition));
    ONEPACK_RETURN_IF_ERROR(FindOp(node_.xnode_union_type())->define(definition, node_));
    return subgraph;
  }

 private:
  Status Add(uint32_t id, uint32_t flag, xnn_subgraph_t subgraph) {
    const GraphValue& value = plan_.values.at(id);
    DefinedValue defined;
    defined.value = &value;
    defined.datatype = value.datatype();
    ShownValue shown;
    shown.datatype = value.tensor().datatype();
    shown.dims = Shape::OfOnes(value.rank());  // packing does not see them
    if (shown.datatype != XNNDatatype::qdint8) {
      shown.external_id = next_external_id_++;
      shown.flags = flag;
    }
    ONEPACK_ASSIGN_OR_RETURN(defined.xnn_id, DefineValue(subgraph, value, shown));
    if (shown.datatype == XNNDatatype::qdint8) {
      ONEPACK_RETURN_IF_ERROR(DefineQuantization(defined, shown.dims, subgraph));
    }
    values_.Add(id, defined);
    return Status::Ok();
  }

  // What is quantized at run time cannot come from outside.
  Status DefineQuantization(const DefinedValue& to, const Shape& dims, xnn_subgraph_t subgraph) {
    uint32_t from = XNN_INVALID_VALUE_ID;
    ONEPACK_RETURN_IF_XNN_ERROR(
        xnn_define_tensor_value(subgraph, xnn_datatype_fp32, dims.rank(), dims.data(), nullptr,
                                next_external_id_++, XNN_VALUE_FLAG_EXTERNAL_INPUT, &from),
        "defining an input");
    ONEPACK_RETURN_IF_XNN_ERROR(
        xnn_define_unary(subgraph, xnn_unary_convert, nullptr, from, to.xnn_id, 0),
        "defining the quantization of an input");
    return Status::Ok();
  }

  const Plan& plan_;
  const Weight& weight_;
  const XNode& node_;
  const Operands operands_;
  ValueMap<DefinedValue> values_;
  uint32_t next_external_id_ = 0;
};

Status CreateAndDelete(const Plan& plan, const XNode& node, xnn_subgraph_t subgraph,
                       xnn_weights_cache_t cache) {
  xnn_workspace_t new_workspace = nullptr;
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_create_workspace(&new_workspace), "creating a workspace");
  const XnnWorkspace workspace(new_workspace);
  xnn_runtime_t new_runtime = nullptr;
  const xnn_status status = [&] {
    const XnnCall call;
    return xnn_create_runtime_v4(subgraph, cache, workspace.get(), /*threadpool=*/nullptr,
                                 kRuntimeFlags, &new_runtime);
  }();
  const XnnRuntime runtime(new_runtime);
  if (status == xnn_status_unsupported_hardware && NeedsFloat16Arithmetic({plan.values}, node)) {
    return NoFloat16Kernel();
  }
  return XnnError(status, "creating a runtime of one node");
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

Result<NodePacker::Packed> OneNodeRuntime::Pack(const Plan& plan, const Weight& weight,
                                                const ShownWeight& shown,
                                                PackingMemory& memory) const {
  OneNodeGraph graph(plan, weight);
  ONEPACK_ASSIGN_OR_RETURN(const XnnSubgraph subgraph, graph.Define(shown));
  PackingProvider provider(memory);
  Status status = CreateAndDelete(plan, *plan.graph().xnodes()->Get(weight.node), subgraph.get(),
                                  provider.handle());
  Status packed = provider.CheckPacked();
  // No memory is said by the provider, everything else by XNNPACK.
  if (!status.ok() && packed.code() != StatusCode::kResourceExhausted) return status;
  ONEPACK_RETURN_IF_ERROR(std::move(packed));
  return Packed{provider.tag(), provider.size()};
}

// The number of output channels is in a fully connected node's seed, by exclusive or.
LayoutTag OneNodeRuntime::TagWithChannels(LayoutTag tag, size_t from, size_t to) const {
  return tag ^ static_cast<uint32_t>(from) ^ static_cast<uint32_t>(to);
}

}  // namespace onepack
