#include "delegate/plan/graph_builder.h"

#include <string.h>

#include <algorithm>

#include "base/mapping.h"
#include "delegate/graph/quantization.h"
#include "delegate/plan/activations.h"
#include "delegate/plan/byte_budget.h"
#include "delegate/plan/graph_weights.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNNGraph;
using wire::xnnpack::XNNTensorValue;
using wire::xnnpack::XNode;
using wire::xnnpack::XNodeUnion;
using wire::xnnpack::XValue;

// To pack a weight alone costs a subgraph of as many values as the graph has arguments.
constexpr uint32_t kMaxSharedExternals = 256;

// Arguments that are no value of the graph: exporters pass the sizes of dynamic dims along. XNNPACK
// allocates a value for each of them nevertheless.
constexpr uint32_t kMaxUnusedExternals = 4096;

// Constants in place of up to so many bytes are copied, so that whoever uses the runtime later does
// not depend on the file that they came from.
constexpr size_t kMaxCopiedInPlace = 16384;

class GraphBuilder {
 public:
  GraphBuilder(const Payload& payload, const GraphOptions& options)
      : payload_(payload),
        graph_(payload.graph()),
        options_(options),
        budget_(payload),
        weights_(payload, options, values_) {
    if (options.ones != nullptr) built_.scales.ones = options.ones;
    values_.reserve(CountOf(graph_.xvalues()));
    built_.nodes.reserve(CountOf(graph_.xnodes()));
    built_.parts.shapes.Reserve(CountOf(graph_.xvalues()), CountOf(graph_.xnodes()));
  }

  // In this order: each step uses what the ones before it found.
  Result<BuiltGraph> Build() {
    ONEPACK_RETURN_IF_ERROR(CountExternals());
    ONEPACK_RETURN_IF_ERROR(ForEachNode(&GraphBuilder::CheckType));
    ONEPACK_RETURN_IF_ERROR(ForEachValue(&GraphBuilder::DescribeWireValue));
    ONEPACK_RETURN_IF_ERROR(ForEachNode(&GraphBuilder::MarkOperands));
    FindNeededValues();
    ONEPACK_RETURN_IF_ERROR(ForEachNode(&GraphBuilder::IdentifyNode));
    ONEPACK_RETURN_IF_ERROR(weights_.CheckBytes(budget_));
    ONEPACK_RETURN_IF_ERROR(weights_.WidenValues());
    ONEPACK_RETURN_IF_ERROR(ForEachValue(&GraphBuilder::PlaceConstant));
    ONEPACK_RETURN_IF_ERROR(ForEachNode(&GraphBuilder::InferNode));
    ONEPACK_RETURN_IF_ERROR(CheckOutputs());
    // Dims mean something only now that the nodes have confirmed them; and nothing of their size
    // was allocated so far.
    ONEPACK_RETURN_IF_ERROR(CheckActivations(graph_, options_.max_activation_bytes));
    ONEPACK_RETURN_IF_ERROR(weights_.FindInCache(built_));
    for (ExternalValue& external : built_.parts.externals) {
      external.is_index = values_.at(external.value_id).is_index;
    }
    ONEPACK_RETURN_IF_ERROR(weights_.Describe(built_));
    built_.structure = Structure();
    if (options_.wants_packable_nodes && options_.wants_packable_nodes(built_.structure)) {
      weights_.CutOutPackableNodes(built_);
    }
    built_.values = std::move(values_);
    return std::move(built_);
  }

 private:
  template <typename Step>
  Status ForEachNode(Step step) {
    for (size_t i = 0; i < CountOf(graph_.xnodes()); ++i) {
      const XNode& node = *graph_.xnodes()->Get(static_cast<uint32_t>(i));
      node_index_ = i;
      Status status = (this->*step)(node);
      if (!status.ok()) {
        return std::move(status).WithContext("graph node %zu (%s)", i,
                                             NodeTypeName(node.xnode_union_type()));
      }
    }
    return Status::Ok();
  }
  template <typename Step>
  Status ForEachValue(Step step) {
    for (size_t i = 0; i < CountOf(graph_.xvalues()); ++i) {
      Status status = (this->*step)(*graph_.xvalues()->Get(static_cast<uint32_t>(i)));
      if (!status.ok()) return std::move(status).WithContext("graph value %zu", i);
    }
    return Status::Ok();
  }

  Status CountExternals();
  Status CheckType(const XNode& node);
  Status DescribeWireValue(const XValue& wire);
  Status MarkOperands(const XNode& node);
  Status CheckConstant(const XNNTensorValue& tensor) const;
  Status AddExternal(GraphValue& value);
  void FindNeededValues();
  bool IsNeeded(const Operands& operands) const;
  Status IdentifyNode(const XNode& node);
  Status PlaceConstant(const XValue& wire);
  Status InferNode(const XNode& node);
  Status CheckOrder(const Operands& operands) const;
  Status CheckOutputs() const;
  std::optional<Digest> Structure() const;

  const Payload& payload_;
  const XNNGraph& graph_;
  const GraphOptions& options_;
  BuiltGraph built_;
  ValueMap<GraphValue> values_;    // by id_out
  std::vector<bool> is_external_;  // by external id: a value has it
  size_t node_index_ = 0;          // of the node at hand
  ByteBudget budget_;
  GraphWeights weights_;
};

Status GraphBuilder::CountExternals() {
  const uint32_t count = graph_.num_externs();
  if (count > CountOf(graph_.xvalues()) + kMaxUnusedExternals) {
    return Status::Error(StatusCode::kInvalidFile,
                         "%u external values, at most %u besides the graph's %zu expected", count,
                         kMaxUnusedExternals, CountOf(graph_.xvalues()));
  }
  built_.parts.external_count = count;
  built_.parts.externals.reserve(count);
  is_external_.resize(count);
  return Status::Ok();
}

Status GraphBuilder::CheckType(const XNode& node) {
  if (FindOp(node.xnode_union_type()) != nullptr) return Status::Ok();
  return Status::Error(StatusCode::kUnsupported, "it is not supported");
}

// Operands that do not exist are found later.
Status GraphBuilder::MarkOperands(const XNode& node) {
  const Op& op = *FindOp(node.xnode_union_type());
  const Operands operands = op.operands(node);
  const auto mark = [&](const Operands::Ids& ids, auto function) {
    for (const uint32_t id : ids) {
      if (GraphValue* value = values_.Find(id)) function(*value);
    }
  };
  const auto is_constant = [&](uint32_t id) {
    const GraphValue* value = values_.Find(id);
    return value != nullptr && value->is_constant();
  };
  // A value may be an operand twice, as a filter and as what it is applied to: one is taken away.
  Operands::Ids in_place = operands.inputs;
  if (std::all_of(operands.packed.begin(), operands.packed.end(), is_constant)) {
    for (const uint32_t id : operands.packed) in_place.Erase(id);
  }
  mark(in_place, [](GraphValue& value) { value.is_in_place = true; });
  mark(operands.outputs, [&](GraphValue& value) {
    if (value.writer == nullptr) value.writer = &node;
  });
  // XNNPACK compares the dims of attention's operands when the node is defined, and never computes
  // those of indices. So it is shown the bounds, and takes memory for them.
  if (op.type == XNodeUnion::XNNScaledDotProductAttention ||
      op.type == XNodeUnion::XNNArgMaxPooling2d) {
    const auto show_bound = [&](GraphValue& value) {
      if (value.starts_small) built_.parts.shapes.MustBeExact(value.tensor().id_out());
      value.starts_small = false;
    };
    mark(operands.inputs, show_bound);
    mark(operands.outputs, show_bound);
  }
  return Status::Ok();
}

Status GraphBuilder::DescribeWireValue(const XValue& wire) {
  GraphValue value(wire);
  const XNNTensorValue& tensor = value.tensor();
  ONEPACK_RETURN_IF_ERROR(DescribeValue(payload_, value));
  if (value.is_constant()) {
    ONEPACK_RETURN_IF_ERROR(CheckConstant(tensor));
    value.content = payload_.content(value.constant_index())->id();
    value.is_defined = true;
  }
  const bool is_external = tensor.external_id() != XNN_INVALID_VALUE_ID;
  value.starts_small = !is_external && !value.is_constant();
  if (is_external) {
    ONEPACK_RETURN_IF_ERROR(AddExternal(value));
  } else if (tensor.flags() != 0) {
    return Status::Error(StatusCode::kInvalidFile, "flags 0x%x on an internal value",
                         tensor.flags());
  }
  if (!values_.Add(tensor.id_out(), value)) {
    return Status::Error(StatusCode::kInvalidFile, "a second value with id %u", tensor.id_out());
  }
  built_.parts.shapes.AddValue(tensor.id_out(), Shape(DimsOf(tensor)));
  if (tensor.datatype() == XNNDatatype::qdint8) built_.parts.shapes.MayBePermuted(tensor.id_out());
  return Status::Ok();
}

Status GraphBuilder::CheckConstant(const XNNTensorValue& tensor) const {
  const Constant& constant = payload_.constant(tensor.constant_buffer_idx());
  ONEPACK_ASSIGN_OR_RETURN(const size_t expected, ConstantSizeBytes(tensor));
  if (payload_.Holds(tensor.constant_buffer_idx(), expected)) return Status::Ok();
  return Status::Error(StatusCode::kMismatch, "%s: %llu bytes found, %zu expected (%s)",
                       constant.place().c_str(), static_cast<unsigned long long>(constant.size()),
                       expected, DatatypeName(tensor.datatype()));
}

Status GraphBuilder::AddExternal(GraphValue& value) {
  const XNNTensorValue& tensor = value.tensor();
  const bool is_input = tensor.flags() == XNN_VALUE_FLAG_EXTERNAL_INPUT;
  value.is_external_output = tensor.flags() == XNN_VALUE_FLAG_EXTERNAL_OUTPUT;
  if (tensor.external_id() >= built_.parts.external_count || value.is_constant() ||
      (!is_input && !value.is_external_output)) {
    return Status::Error(
        StatusCode::kInvalidFile,
        "external id %u of %u with flags 0x%x%s: an input (1) or an output (2) expected",
        tensor.external_id(), built_.parts.external_count, tensor.flags(),
        value.is_constant() ? ", a constant too" : "");
  }
  if (is_external_[tensor.external_id()]) {
    return Status::Error(StatusCode::kInvalidFile, "a second value with external id %u",
                         tensor.external_id());
  }
  is_external_[tensor.external_id()] = true;
  value.is_defined = is_input;
  ExternalValue external;
  external.external_id = tensor.external_id();
  external.value_id = tensor.id_out();
  external.is_output = value.is_external_output;
  external.datatype = tensor.datatype();
  external.bound = Shape(DimsOf(tensor));
  built_.parts.externals.push_back(external);
  return Status::Ok();
}

// XNNPACK drops a node whose output nobody reads, and aborts when it then looks at what fed that
// node. So it never gets to see one.
void GraphBuilder::FindNeededValues() {
  for (auto& [id, value] : values_) value.is_needed = value.is_external_output;
  // Readers come after writers, or CheckOrder will say so.
  for (size_t i = CountOf(graph_.xnodes()); i-- > 0;) {
    const XNode& node = *graph_.xnodes()->Get(static_cast<uint32_t>(i));
    const Operands operands = OperandsOf(node);
    if (!IsNeeded(operands)) continue;
    for (const uint32_t id : operands.inputs) {
      if (GraphValue* value = values_.Find(id)) value->is_needed = true;
    }
    for (const uint32_t id : operands.outputs) {
      if (GraphValue* value = values_.Find(id)) value->is_waste = !value->is_needed;
    }
  }
  for (auto& [id, value] : values_) {
    const bool is_external = value.tensor().external_id() != XNN_INVALID_VALUE_ID;
    value.is_used = is_external || value.is_waste || value.is_needed;
  }
}

bool GraphBuilder::IsNeeded(const Operands& operands) const {
  return std::any_of(operands.outputs.begin(), operands.outputs.end(), [&](uint32_t id) {
    const GraphValue* value = values_.Find(id);
    return value != nullptr && value->is_needed;
  });
}

Status GraphBuilder::IdentifyNode(const XNode& node) {
  const Op& op = *FindOp(node.xnode_union_type());
  const Operands operands = op.operands(node);
  for (const auto* ids : {&operands.inputs, &operands.outputs}) {
    for (const uint32_t id : *ids) {
      if (values_.Find(id) != nullptr) continue;
      return Status::Error(StatusCode::kInvalidFile, "value %u does not exist", id);
    }
  }
  if (IsNeeded(operands)) weights_.Identify(op, node);
  return Status::Ok();
}

Status GraphBuilder::PlaceConstant(const XValue& wire) {
  GraphValue& value = values_.at(TensorOf(wire).id_out());
  if (!value.is_constant()) return Status::Ok();
  if (!value.is_in_place) {
    RawWeights::Widening widening;
    if (value.is_widened) {
      widening.from = value.tensor().datatype();
      widening.row_length = value.rank() > 0 ? value.dim(value.rank() - 1) : 1;
    }
    ONEPACK_ASSIGN_OR_RETURN(
        value.data, options_.raw_weights.Place(payload_, value.constant_index(), widening));
    return Status::Ok();
  }
  ONEPACK_ASSIGN_OR_RETURN(Buffer buffer, payload_.constant(value.constant_index()).Load());
  const bool is_aligned = reinterpret_cast<uintptr_t>(buffer.bytes.data()) % alignof(float) == 0;
  if (is_aligned && buffer.readable_padding >= Mapping::kReadablePadding &&
      buffer.bytes.size() > kMaxCopiedInPlace) {
    value.data = buffer.bytes.data();
    built_.parts.in_place.push_back(std::move(buffer));
    return Status::Ok();
  }
  ONEPACK_RETURN_IF_ERROR(budget_.Take(buffer.bytes.size(), "copying all constants"));
  std::vector<uint8_t>& copy =
      built_.parts.in_place_copies.emplace_back(buffer.bytes.size() + Mapping::kReadablePadding);
  memcpy(copy.data(), buffer.bytes.data(), buffer.bytes.size());
  value.data = copy.data();
  return Status::Ok();
}

Status GraphBuilder::InferNode(const XNode& node) {
  const Op& op = *FindOp(node.xnode_union_type());
  const Operands operands = op.operands(node);
  ONEPACK_RETURN_IF_ERROR(CheckOrder(operands));
  for (const uint32_t id : operands.outputs) values_.at(id).is_defined = true;
  if (op.type == XNodeUnion::XNNArgMaxPooling2d) values_.at(operands.outputs[1]).is_index = true;
  if (!IsNeeded(operands)) return Status::Ok();
  built_.nodes.push_back(static_cast<uint32_t>(node_index_));
  return built_.parts.shapes.AddNode(node_index_, op, node, options_.max_activation_bytes);
}

Status GraphBuilder::CheckOrder(const Operands& operands) const {
  for (const uint32_t id : operands.inputs) {
    if (values_.at(id).is_defined) continue;
    return Status::Error(StatusCode::kInvalidFile,
                         "it reads value %u, which nothing has written yet", id);
  }
  // XNNPACK would take its dims for the file's, whatever they are.
  for (const uint32_t id : operands.inputs) {
    if (!values_.at(id).is_index) continue;
    return Status::Error(StatusCode::kUnsupported, "it reads the indices %u: not supported", id);
  }
  for (const uint32_t id : operands.outputs) {
    if (!values_.at(id).is_defined) continue;
    return Status::Error(StatusCode::kInvalidFile,
                         "it writes value %u, which has its content already", id);
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

// XNNPACK keeps addresses of constants that it reads in place; everything packed, scales included,
// is asked for again when a runtime is reshaped. So graphs of one structure have equal bytes, but
// for the names of constants; equal constants in place; equal scales where XNNPACK looks at them
// besides packing them; and weights that are equal to each other where the others' are.
std::optional<Digest> GraphBuilder::Structure() const {
  if (!payload_.graph_id() || built_.parts.external_count > kMaxSharedExternals) {
    return std::nullopt;
  }
  DigestBuilder digest("structure");
  digest.Add(*payload_.graph_id()).Add(options_.max_activation_bytes);
  if (!weights_.AddTo(digest)) return std::nullopt;
  for (const auto& [id, value] : values_) {
    if (!value.is_in_place || !value.is_constant()) continue;
    digest.Add(value.content);
    value.quant_params.AddTo(digest);
  }
  return digest.Finish();
}

}  // namespace

Result<BuiltGraph> BuildGraph(const Payload& payload, const GraphOptions& options) {
  return GraphBuilder(payload, options).Build();
}

}  // namespace onepack
