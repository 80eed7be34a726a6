#include "delegate/graph_builder.h"

#include <string.h>

#include "base/mapping.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNGraph;
using wire::xnnpack::XNNTensorValue;
using wire::xnnpack::XNode;
using wire::xnnpack::XValue;

class GraphBuilder {
 public:
  explicit GraphBuilder(const Payload& payload) : payload_(payload), graph_(payload.graph()) {}

  Result<BuiltGraph> Build() {
    ONEPACK_RETURN_IF_ERROR(CreateSubgraph());
    ONEPACK_RETURN_IF_ERROR(FindPackedOnly());
    for (size_t i = 0; i < CountOf(graph_.xvalues()); ++i) {
      Status status = AddValue(*graph_.xvalues()->Get(static_cast<uint32_t>(i)));
      if (!status.ok()) return std::move(status).WithContext("graph value %zu", i);
    }
    for (size_t i = 0; i < CountOf(graph_.xnodes()); ++i) {
      const XNode& node = *graph_.xnodes()->Get(static_cast<uint32_t>(i));
      Status status = AddNode(node);
      if (!status.ok()) {
        return std::move(status).WithContext("graph node %zu (%s)", i,
                                             NodeTypeName(node.xnode_union_type()));
      }
    }
    ONEPACK_RETURN_IF_ERROR(CheckOutputs());
    return std::move(built_);
  }

 private:
  Status CreateSubgraph();
  Status FindPackedOnly();
  Status AddValue(const XValue& wire);
  Status AddConstant(GraphValue& value);
  Status AddExternal(GraphValue& value);
  Status AddNode(const XNode& node);
  Status CheckOperands(const Operands& operands);
  Status CheckOutputs() const;

  const Payload& payload_;
  const XNNGraph& graph_;
  BuiltGraph built_;
  std::unordered_map<uint32_t, GraphValue> values_;  // by id_out
  std::unordered_set<uint32_t> packed_;              // read as packed operand by some node
  std::unordered_set<uint32_t> in_place_;            // read in another way by some node
  std::unordered_set<uint32_t> external_ids_;
};

Status GraphBuilder::CreateSubgraph() {
  built_.external_count = graph_.num_externs();
  // XNNPACK allocates that many values at once; more than there are in the file means nothing.
  if (graph_.num_externs() > CountOf(graph_.xvalues())) {
    return Status::Error(StatusCode::kInvalidFile, "%u external values among %zu values",
                         graph_.num_externs(), CountOf(graph_.xvalues()));
  }
  xnn_subgraph_t subgraph = nullptr;
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_create_subgraph(graph_.num_externs(), 0, &subgraph),
                              "creating a subgraph");
  built_.subgraph.reset(subgraph);
  return Status::Ok();
}

Status GraphBuilder::FindPackedOnly() {
  for (size_t i = 0; i < CountOf(graph_.xnodes()); ++i) {
    const XNode& node = *graph_.xnodes()->Get(static_cast<uint32_t>(i));
    const Op* op = FindOp(node.xnode_union_type());
    if (op == nullptr) {
      return Status::Error(StatusCode::kUnsupported, "graph node %zu: %s is not supported", i,
                           NodeTypeName(node.xnode_union_type()));
    }
    const Operands operands = op->operands(node);
    const std::unordered_set<uint32_t> packed(operands.packed.begin(), operands.packed.end());
    packed_.insert(packed.begin(), packed.end());
    for (const uint32_t id : operands.inputs) {
      if (packed.count(id) == 0) in_place_.insert(id);
    }
  }
  return Status::Ok();
}

Status GraphBuilder::AddValue(const XValue& wire) {
  GraphValue value;
  value.wire = &wire;
  const XNNTensorValue& tensor = value.tensor();
  if (tensor.constant_buffer_idx() != 0) ONEPACK_RETURN_IF_ERROR(AddConstant(value));
  if (tensor.external_id() != XNN_INVALID_VALUE_ID) {
    ONEPACK_RETURN_IF_ERROR(AddExternal(value));
  } else if (tensor.flags() != 0) {
    return Status::Error(StatusCode::kInvalidFile, "flags 0x%x on an internal value", tensor.flags());
  }
  ONEPACK_RETURN_IF_ERROR(
      DefineValue({built_.subgraph.get(), payload_, built_.scales}, value));
  if (!values_.try_emplace(tensor.id_out(), value).second) {
    return Status::Error(StatusCode::kInvalidFile, "a second value with id %u", tensor.id_out());
  }
  return Status::Ok();
}

Status GraphBuilder::AddConstant(GraphValue& value) {
  const XNNTensorValue& tensor = value.tensor();
  const Constant& constant = payload_.constant(tensor.constant_buffer_idx());
  ONEPACK_ASSIGN_OR_RETURN(const size_t expected, ConstantSizeBytes(tensor));
  if (constant.segment.size != expected) {
    return Status::Error(StatusCode::kMismatch, "%s: %llu bytes found, %zu expected (%s)",
                         constant.place.c_str(),
                         static_cast<unsigned long long>(constant.segment.size), expected,
                         DatatypeName(tensor.datatype()));
  }
  ONEPACK_ASSIGN_OR_RETURN(Buffer buffer, constant.Load());
  value.content = constant.identity;
  value.is_defined = true;
  const bool is_read_in_place = in_place_.count(tensor.id_out()) > 0;
  const bool is_aligned = reinterpret_cast<uintptr_t>(buffer.bytes.data()) % sizeof(float) == 0;
  const bool is_padded = buffer.readable_padding >= Mapping::kReadablePadding;
  if (!is_aligned || (is_read_in_place && !is_padded)) {
    std::vector<uint8_t>& copy = built_.in_place_copies.emplace_back(
        buffer.bytes.size() + Mapping::kReadablePadding);
    memcpy(copy.data(), buffer.bytes.data(), buffer.bytes.size());
    value.data = copy.data();
    return Status::Ok();
  }
  value.data = buffer.bytes.data();
  (is_read_in_place ? built_.in_place : built_.packed_once).push_back(std::move(buffer));
  return Status::Ok();
}

Status GraphBuilder::AddExternal(GraphValue& value) {
  const XNNTensorValue& tensor = value.tensor();
  const bool is_input = tensor.flags() == XNN_VALUE_FLAG_EXTERNAL_INPUT;
  value.is_external_output = tensor.flags() == XNN_VALUE_FLAG_EXTERNAL_OUTPUT;
  if (tensor.external_id() >= built_.external_count || value.is_constant() ||
      (!is_input && !value.is_external_output)) {
    return Status::Error(StatusCode::kInvalidFile,
                         "external id %u of %u with flags 0x%x%s: an input (1) or an output (2) expected",
                         tensor.external_id(), built_.external_count, tensor.flags(),
                         value.is_constant() ? ", a constant too" : "");
  }
  if (!external_ids_.insert(tensor.external_id()).second) {
    return Status::Error(StatusCode::kInvalidFile, "a second value with external id %u",
                         tensor.external_id());
  }
  value.is_defined = is_input;
  ExternalValue external;
  external.external_id = tensor.external_id();
  external.is_output = value.is_external_output;
  external.datatype = tensor.datatype();
  for (const uint32_t size : DimsOf(tensor)) external.dims.push_back(size);
  built_.externals.push_back(std::move(external));
  return Status::Ok();
}

Status GraphBuilder::AddNode(const XNode& node) {
  const Op& op = *FindOp(node.xnode_union_type());
  const Operands operands = op.operands(node);
  ONEPACK_RETURN_IF_ERROR(CheckOperands(operands));
  ONEPACK_RETURN_IF_ERROR(
      op.define({built_.subgraph.get(), values_, built_.packed_operands}, node));
  for (const uint32_t id : operands.outputs) values_.at(id).is_defined = true;
  built_.has_broadcasts |= op.broadcasts;
  built_.computes_dims |= !op.keeps_dims;
  return Status::Ok();
}

Status GraphBuilder::CheckOperands(const Operands& operands) {
  for (const uint32_t id : operands.inputs) {
    const auto found = values_.find(id);
    if (found == values_.end() || !found->second.is_defined) {
      return Status::Error(StatusCode::kInvalidFile, "it reads value %u, which %s", id,
                           found == values_.end() ? "does not exist" : "nothing has written yet");
    }
  }
  for (const uint32_t id : operands.outputs) {
    const auto found = values_.find(id);
    if (found == values_.end() || found->second.is_defined) {
      return Status::Error(StatusCode::kInvalidFile, "it writes value %u, which %s", id,
                           found == values_.end() ? "does not exist" : "has its content already");
    }
  }
  return Status::Ok();
}

Status GraphBuilder::CheckOutputs() const {
  for (const auto& [id, value] : values_) {
    if (value.is_external_output && !value.is_defined) {
      return Status::Error(StatusCode::kInvalidFile, "no node writes output value %u", id);
    }
  }
  return Status::Ok();
}

}  // namespace

Result<BuiltGraph> BuildGraph(const Payload& payload) { return GraphBuilder(payload).Build(); }

}  // namespace onepack
