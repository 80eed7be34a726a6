#include "delegate/plan/shape_inference.h"

#include <algorithm>

#include "base/checked_math.h"

namespace onepack {
namespace {

using wire::xnnpack::XNodeUnion;

// So many sums take less time than to call threads and to wait for them.
constexpr size_t kLightElements = 16384;

// Nodes that compute more than one operation for each element, besides those with weights.
bool MultipliesMatrices(const wire::xnnpack::XNode& node) {
  return node.xnode_union_type() == XNodeUnion::XNNBatchMatrixMultiply ||
         node.xnode_union_type() == XNodeUnion::XNNScaledDotProductAttention;
}

}  // namespace

Status ShapeInference::AddNode(size_t index, const Op& op, const wire::xnnpack::XNode& node,
                               uint64_t max_scratch_bytes) {
  max_scratch_bytes_ = max_scratch_bytes;
  ONEPACK_ASSIGN_OR_RETURN(const Inference inference, op.infer(shapes_, node));
  const Operands operands = op.operands(node);
  Inference::Outputs bounds;
  for (size_t i = 0; i < operands.outputs.size(); ++i) {
    Shape& bound = shapes_.at(operands.outputs[i]);
    const Shape& inferred = inference.outputs[i];
    const bool is_exact = exact_.count(operands.outputs[i]) > 0;
    if (is_exact ? bound != inferred : bound.rank() != inferred.rank()) {
      return Status::Error(StatusCode::kInvalidFile, "an output %s, %s expected",
                           bound.Text().c_str(), inferred.Text().c_str());
    }
    if (permuted_.count(operands.outputs[i]) > 0) bound = inferred;
    bounds.push_back(bound);
  }
  ONEPACK_RETURN_IF_ERROR(TakeBytes(inference));
  nodes_.push_back({index, &op, &node, bounds});
  return Status::Ok();
}

Status ShapeInference::TakeBytes(const Inference& inference) {
  uint64_t needed = 0;
  if (CheckedAdd(kept_bytes_, inference.kept_bytes, &kept_bytes_) &&
      CheckedAdd(kept_bytes_, inference.scratch_bytes, &needed) && needed <= max_scratch_bytes_) {
    return Status::Ok();
  }
  return Status::Error(StatusCode::kResourceExhausted,
                       "it needs %llu bytes to work with and %llu to keep, besides those of the "
                       "nodes before it; at most %llu allowed",
                       static_cast<unsigned long long>(inference.scratch_bytes),
                       static_cast<unsigned long long>(inference.kept_bytes),
                       static_cast<unsigned long long>(max_scratch_bytes_));
}

Status ShapeInference::Infer() {
  kept_bytes_ = 0;
  for (const Node& node : nodes_) {
    const Status status = InferNode(node);
    if (status.ok()) continue;
    return Status::Error(StatusCode::kMismatch, "graph node %zu (%s): %s", node.index,
                         NodeTypeName(node.wire->xnode_union_type()), status.message());
  }
  return Status::Ok();
}

Status ShapeInference::InferNode(const Node& node) {
  ONEPACK_ASSIGN_OR_RETURN(const Inference inference, node.op->infer(shapes_, *node.wire));
  ONEPACK_RETURN_IF_ERROR(TakeBytes(inference));
  const Operands operands = node.operands();
  for (size_t i = 0; i < operands.outputs.size(); ++i) {
    const Shape& bound = node.bounds[i];
    if (inference.outputs[i].element_count() > bound.element_count()) {
      return Status::Error(StatusCode::kMismatch, "an output %s, at most %s expected",
                           inference.outputs[i].Text().c_str(), bound.Text().c_str());
    }
    shapes_.at(operands.outputs[i]) = inference.outputs[i];
  }
  return Status::Ok();
}

ShapePattern ShapeInference::Pattern() const {
  ShapePattern pattern;
  for (const Node& node : nodes_) {
    if (node.op->planning == Planning::kForAnyShape) continue;
    const Operands operands = node.operands();
    for (const uint32_t id : operands.inputs) {
      const Shape& shape = shapes_.at(id);
      if (node.op->planning == Planning::kBroadcasts) {
        pattern.push_back(shape.element_count() == shapes_.at(operands.outputs[0]).element_count());
      } else {
        pattern.insert(pattern.end(), shape.begin(), shape.end());
      }
    }
  }
  return pattern;
}

bool ShapeInference::AreLight(const std::vector<uint32_t>& nodes) const {
  return std::all_of(nodes.begin(), nodes.end(), [&](uint32_t index) {
    const auto is_before = [](const Node& node, uint32_t wanted) { return node.index < wanted; };
    return IsLight(*std::lower_bound(nodes_.begin(), nodes_.end(), index, is_before));
  });
}

bool ShapeInference::IsLight(const Node& node) const {
  const Operands operands = node.operands();
  if (!operands.packed.empty() || MultipliesMatrices(*node.wire)) return false;
  bool is_light = true;
  operands.ForEach(
      [&](uint32_t id) { is_light &= shapes_.at(id).element_count() <= kLightElements; });
  return is_light;
}

bool ShapeInference::has_empty_values() const {
  bool has_any = false;
  for (const Node& node : nodes_) {
    node.operands().ForEach([&](uint32_t id) { has_any |= shapes_.at(id).element_count() == 0; });
  }
  return has_any;
}

}  // namespace onepack
