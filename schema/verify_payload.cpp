#include "schema/verify_payload.h"

#include "base/checked_math.h"
#include "schema/sharing_budget.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNGraph;
using wire::xnnpack::XNNQuantParams;
using wire::xnnpack::XNNTensorValue;
using wire::xnnpack::XNodeUnion;
using wire::xnnpack::XValue;

// The graph's root with one field, the list of constants. The others are neither read nor verified.
struct RootOfConstants final : flatbuffers::Table {
  const ConstantList* constant_data() const {
    return GetPointer<const ConstantList*>(XNNGraph::VT_CONSTANT_DATA);
  }
  bool Verify(flatbuffers::Verifier& verifier) const {
    return VerifyTableStart(verifier) && VerifyOffset(verifier, XNNGraph::VT_CONSTANT_DATA) &&
           verifier.VerifyVector(constant_data()) &&
           verifier.VerifyVectorOfTables(constant_data()) && verifier.EndTable();
  }
};

Status Damaged(Bytes flatbuffer) {
  return Status::Error(StatusCode::kInvalidFile, "the XNNPACK graph of %zu bytes is damaged",
                       flatbuffer.size());
}

Status VerifyConstants(const ConstantList* constants, const PayloadHeader& header,
                       SharingBudget& budget) {
  for (size_t i = 1; i < CountOf(constants); ++i) {
    const auto* constant = constants->Get(static_cast<uint32_t>(i));
    ONEPACK_RETURN_IF_ERROR(budget.Spend(constant->named_key()));
    if (constant->named_key() != nullptr && constant->named_key()->size() > 0) {
      if (IsName(constant->named_key())) continue;
      return Status::Error(StatusCode::kInvalidFile, "constant %zu has no usable key", i);
    }
    if (!InRange(constant->offset(), constant->size(), header.constant_data.size)) {
      return Status::Error(StatusCode::kInvalidFile,
                           "constant %zu: %llu bytes at %llu, but the payload carries %llu bytes",
                           i, static_cast<unsigned long long>(constant->size()),
                           static_cast<unsigned long long>(constant->offset()),
                           static_cast<unsigned long long>(header.constant_data.size));
    }
  }
  return Status::Ok();
}

Status VerifyConstantIndex(const XNNGraph& graph, uint32_t index) {
  // Index 0 is "none" even where the file lists no constant at all.
  if (index == 0 || index < ConstantCount(graph)) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile, "constant %u of %zu", index, ConstantCount(graph));
}

Status VerifyTensor(const XNNGraph& graph, const XNNTensorValue& tensor) {
  if (tensor.num_dims() != CountOf(tensor.dims()) || tensor.num_dims() > kMaxGraphRank) {
    return Status::Error(StatusCode::kInvalidFile,
                         "num_dims %u with %zu dims, at most %zu expected", tensor.num_dims(),
                         CountOf(tensor.dims()), kMaxGraphRank);
  }
  return VerifyConstantIndex(graph, tensor.constant_buffer_idx());
}

Status VerifyQuantization(const XNNGraph& graph,
                          const wire::xnnpack::XNNQuantizedTensorValue& value) {
  if (value.tensor_value() == nullptr || value.quant_params() == nullptr) {
    return Status::Error(StatusCode::kInvalidFile,
                         "a quantized value without tensor or parameters");
  }
  ONEPACK_RETURN_IF_ERROR(VerifyTensor(graph, *value.tensor_value()));
  switch (value.quant_params_type()) {
    case XNNQuantParams::PerChannelQuant:
      return VerifyConstantIndex(graph,
                                 value.quant_params_as_PerChannelQuant()->scale_buffer_idx());
    case XNNQuantParams::PerChannelGroupQuant:
      return VerifyConstantIndex(graph,
                                 value.quant_params_as_PerChannelGroupQuant()->scale_buffer_idx());
    case XNNQuantParams::PerTensorQuant:
    case XNNQuantParams::PerTokenDynamicQuant:
      return Status::Ok();
    default:
      return Status::Error(StatusCode::kInvalidFile, "quantization of unknown kind %d",
                           static_cast<int>(value.quant_params_type()));
  }
}

Status VerifyValue(const XNNGraph& graph, const XValue& value) {
  if (value.xvalue_union() != nullptr) {
    if (const auto* tensor = value.xvalue_union_as_XNNTensorValue()) {
      return VerifyTensor(graph, *tensor);
    }
    if (const auto* quantized = value.xvalue_union_as_XNNQuantizedTensorValue()) {
      return VerifyQuantization(graph, *quantized);
    }
  }
  return Status::Error(StatusCode::kInvalidFile, "no value of kind %d",
                       static_cast<int>(value.xvalue_union_type()));
}

// REQUIRES: a verified value.
Status SpendScales(const XValue& value, SharingBudget& budget) {
  const auto* quantized = value.xvalue_union_as_XNNQuantizedTensorValue();
  if (quantized == nullptr) return Status::Ok();
  if (const auto* channel = quantized->quant_params_as_PerChannelQuant()) {
    return budget.Spend(channel->scale());
  }
  const auto* group = quantized->quant_params_as_PerChannelGroupQuant();
  if (group == nullptr) return Status::Ok();
  ONEPACK_RETURN_IF_ERROR(budget.Spend(group->scale()));
  return budget.Spend(group->scale_bf16());
}

Status VerifyNode(const wire::xnnpack::XNode& node) {
  if (node.xnode_union() != nullptr && node.xnode_union_type() > XNodeUnion::NONE &&
      node.xnode_union_type() <= XNodeUnion::MAX) {
    return Status::Ok();
  }
  return Status::Error(StatusCode::kInvalidFile, "no node of kind %d",
                       static_cast<int>(node.xnode_union_type()));
}

}  // namespace

Result<const ConstantList*> VerifyConstantList(Bytes flatbuffer, const PayloadHeader& header) {
  if (!IsSoundFlatbuffer<RootOfConstants>(flatbuffer)) return Damaged(flatbuffer);
  const ConstantList* constants =
      flatbuffers::GetRoot<RootOfConstants>(flatbuffer.data())->constant_data();
  SharingBudget budget(flatbuffer);
  ONEPACK_RETURN_IF_ERROR(VerifyConstants(constants, header, budget));
  return constants;
}

Result<const XNNGraph*> VerifyPayload(Bytes flatbuffer, const PayloadHeader& header) {
  if (!IsSoundFlatbuffer<XNNGraph>(flatbuffer)) return Damaged(flatbuffer);
  const auto* graph = flatbuffers::GetRoot<XNNGraph>(flatbuffer.data());
  SharingBudget budget(flatbuffer);
  ONEPACK_RETURN_IF_ERROR(VerifyConstants(graph->constant_data(), header, budget));
  for (size_t i = 0; i < CountOf(graph->xvalues()); ++i) {
    const XValue& value = *graph->xvalues()->Get(static_cast<uint32_t>(i));
    Status status = VerifyValue(*graph, value);
    if (status.ok()) status = SpendScales(value, budget);
    if (!status.ok()) return std::move(status).WithContext("graph value %zu", i);
  }
  for (size_t i = 0; i < CountOf(graph->xnodes()); ++i) {
    Status status = VerifyNode(*graph->xnodes()->Get(static_cast<uint32_t>(i)));
    if (!status.ok()) return std::move(status).WithContext("graph node %zu", i);
  }
  return graph;
}

const XNNTensorValue& TensorOf(const XValue& value) {
  const auto* quantized = value.xvalue_union_as_XNNQuantizedTensorValue();
  return quantized != nullptr ? *quantized->tensor_value()
                              : *value.xvalue_union_as_XNNTensorValue();
}

Span<const uint32_t> DimsOf(const XNNTensorValue& tensor) {
  if (tensor.dims() == nullptr) return {};
  return {tensor.dims()->data(), tensor.dims()->size()};
}

size_t ConstantCount(const XNNGraph& graph) {
  const size_t offsets = CountOf(graph.constant_data());
  return offsets > 0 ? offsets : CountOf(graph.constant_buffer());
}

}  // namespace onepack
