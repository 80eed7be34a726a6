// Softmax, products of matrices that are both computed, and attention.

#include <algorithm>

#include "base/checked_math.h"
#include "delegate/ops/checks.h"
#include "delegate/ops/define_value.h"
#include "delegate/ops/families.h"
#include "delegate/xnn/definitions.h"
#include "delegate/xnn/differences.h"
#include "delegate/xnn/handles.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNNNode1x1;
using wire::xnnpack::XNNNode2x1;
using wire::xnnpack::XNNScaledDotProductAttention;
using wire::xnnpack::XNode;

constexpr auto kFloats = {XNNDatatype::fp32, XNNDatatype::fp16};

const XNNNode1x1& SoftmaxOf(const XNode& node) { return *node.xnode_union_as_XNNSoftmax(); }
const XNNNode2x1& ProductOf(const XNode& node) {
  return *node.xnode_union_as_XNNBatchMatrixMultiply();
}
const XNNScaledDotProductAttention& AttentionOf(const XNode& node) {
  return *node.xnode_union_as_XNNScaledDotProductAttention();
}

Status DoNotFit(const char* what, const Shape& a, const Shape& b) {
  return Status::Error(StatusCode::kInvalidFile, "%s %s and %s do not fit", what, a.Text().c_str(),
                       b.Text().c_str());
}

// Whether all dims but the last two are equal.
bool HaveEqualBatches(const Shape& a, const Shape& b) {
  return a.rank() == b.rank() && std::equal(a.begin(), a.end() - 2, b.begin());
}

// The product of all dims but the last two.
uint64_t BatchCount(const Shape& shape) {
  Shape batches;
  for (size_t i = 0; i + 2 < shape.rank(); ++i) batches.Append(shape[i]);
  return batches.element_count();
}

// Packed keys and values, and for each row of queries at hand the row, scaled, and its products
// with all keys: once where one node computes them, else before and after the mask and the softmax.
uint64_t AttentionBytes(const Shape& query, const Shape& key, const Shape& value) {
  constexpr size_t kMaxRows = kComposesAttention ? SIZE_MAX : 1024;  // of all threads
  constexpr size_t kCopies = kComposesAttention ? 3 : 1;
  const uint64_t keys = PackedMatrixBytes(BatchCount(key), key.FromLast(1), key.FromLast(0));
  const uint64_t values = PackedMatrixBytes(BatchCount(key), value.FromLast(0), key.FromLast(1));
  const uint64_t rows =
      std::min(kMaxRows, query.element_count() / std::max<size_t>(query.FromLast(0), 1));
  const uint64_t logits = PackedMatrixBytes(kCopies, rows, key.FromLast(0) + key.FromLast(1));
  uint64_t bytes = 0;
  const bool fits = CheckedAdd(keys, values, &bytes) && CheckedAdd(bytes, logits, &bytes);
  return fits ? bytes : UINT64_MAX;
}

}  // namespace

Operands SoftmaxOperands(const XNode& node) {
  return {{SoftmaxOf(node).input_id()}, {SoftmaxOf(node).output_id()}, {}};
}

Result<Inference> InferSoftmax(const Shapes& shapes, const XNode& node) {
  const Shape& input = shapes.at(SoftmaxOf(node).input_id());
  if (input.rank() > 0) return Inferred(input);
  return Status::Error(StatusCode::kInvalidFile, "the softmax of a scalar");
}

Status CheckSoftmax(const NodeValues& values, const XNode& node) {
  const GraphValue& input = values.value(SoftmaxOf(node).input_id());
  const GraphValue& output = values.value(SoftmaxOf(node).output_id());
  ONEPACK_RETURN_IF_ERROR(CheckOneDatatype({&input, &output}, kFloats, Quantization::kIsEqual));
  return CheckFlags(SoftmaxOf(node).flags());
}

Status DefineSoftmax(const NodeDefinition& definition, const XNode& node) {
  const DefinedValue& input = definition.value(SoftmaxOf(node).input_id());
  const DefinedValue& output = definition.value(SoftmaxOf(node).output_id());
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_softmax(definition.subgraph, input.xnn_id, output.xnn_id, 0), "defining the node");
  return Status::Ok();
}

Operands ProductOperands(const XNode& node) {
  const XNNNode2x1& wire = ProductOf(node);
  return {{wire.input1_id(), wire.input2_id()}, {wire.output_id()}, {}};
}

// [..., m, k] by [..., k, n], or [..., n, k] if transposed; the dims before may broadcast.
Result<Inference> InferProduct(const Shapes& shapes, const XNode& node) {
  const Shape& a = shapes.at(ProductOf(node).input1_id());
  const Shape& b = shapes.at(ProductOf(node).input2_id());
  const bool is_transposed = (ProductOf(node).flags() & XNN_FLAG_TRANSPOSE_B) != 0;
  if (a.rank() < 2 || b.rank() < 2 || a.FromLast(0) != b.FromLast(is_transposed ? 0 : 1) ||
      a.FromLast(0) == 0) {
    return DoNotFit("matrices", a, b);
  }
  Shape output = a.rank() >= b.rank() ? a : b;
  for (size_t i = 2; i < output.rank(); ++i) {
    const size_t from_a = i < a.rank() ? a.FromLast(i) : 1;
    const size_t from_b = i < b.rank() ? b.FromLast(i) : 1;
    if (from_a != from_b && from_a != 1 && from_b != 1) return DoNotFit("batches", a, b);
    output.FromLast(i) = from_a == 1 ? from_b : from_a;
  }
  output.FromLast(1) = a.FromLast(1);
  output.FromLast(0) = b.FromLast(is_transposed ? 1 : 0);
  Inference inference = Inferred(output);
  inference.scratch_bytes = PackedMatrixBytes(BatchCount(b), output.FromLast(0), a.FromLast(0));
  return inference;
}

Status CheckProduct(const NodeValues& values, const XNode& node) {
  const GraphValue& a = values.value(ProductOf(node).input1_id());
  const GraphValue& b = values.value(ProductOf(node).input2_id());
  const GraphValue& output = values.value(ProductOf(node).output_id());
  ONEPACK_RETURN_IF_ERROR(CheckOneDatatype({&a, &b, &output}, kFloats, Quantization::kIsEqual));
  return CheckFlags(ProductOf(node).flags(), XNN_FLAG_TRANSPOSE_B);
}

Status DefineProduct(const NodeDefinition& definition, const XNode& node) {
  const DefinedValue& a = definition.value(ProductOf(node).input1_id());
  const DefinedValue& b = definition.value(ProductOf(node).input2_id());
  const DefinedValue& output = definition.value(ProductOf(node).output_id());
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_batch_matrix_multiply(definition.subgraph, a.xnn_id, b.xnn_id, output.xnn_id,
                                       ProductOf(node).flags()),
      "defining the node");
  return Status::Ok();
}

Operands AttentionOperands(const XNode& node) {
  const XNNScaledDotProductAttention& wire = AttentionOf(node);
  return {{wire.query_id(), wire.key_id(), wire.value_id(), wire.scale_id(), wire.mask_id()},
          {wire.output_id()},
          {}};
}

// Query [..., heads, tokens, channels]; key and value [..., heads, others, channels of their own]
// or without heads; scale [channels]; mask [tokens, others].
Result<Inference> InferAttention(const Shapes& shapes, const XNode& node) {
  const XNNScaledDotProductAttention& wire = AttentionOf(node);
  const Shape& query = shapes.at(wire.query_id());
  const Shape& key = shapes.at(wire.key_id());
  const Shape& value = shapes.at(wire.value_id());
  const Shape& scale = shapes.at(wire.scale_id());
  const Shape& mask = shapes.at(wire.mask_id());
  if (query.rank() < 3 || (key.rank() != query.rank() && key.rank() + 1 != query.rank())) {
    return DoNotFit("query and key", query, key);
  }
  for (size_t i = 0; i + 2 < key.rank(); ++i) {
    if (key[i] != query[i]) return DoNotFit("query and key", query, key);
  }
  if (key.FromLast(0) != query.FromLast(0)) return DoNotFit("query and key", query, key);
  if (!HaveEqualBatches(key, value) || value.FromLast(1) != key.FromLast(1)) {
    return DoNotFit("key and value", key, value);
  }
  if (scale != Shape{query.FromLast(0)}) return DoNotFit("query and scale", query, scale);
  if (mask != Shape{query.FromLast(1), key.FromLast(1)}) {
    return DoNotFit("query and mask", query, mask);
  }
  Shape output = query;
  output.FromLast(0) = value.FromLast(0);
  Inference inference = Inferred(output);
  inference.scratch_bytes = AttentionBytes(query, key, value);
  return inference;
}

Status CheckAttention(const NodeValues& values, const XNode& node) {
  const XNNScaledDotProductAttention& wire = AttentionOf(node);
  const GraphValue& query = values.value(wire.query_id());
  const GraphValue& key = values.value(wire.key_id());
  const GraphValue& value = values.value(wire.value_id());
  const GraphValue& scale = values.value(wire.scale_id());
  const GraphValue& mask = values.value(wire.mask_id());
  const GraphValue& output = values.value(wire.output_id());
  ONEPACK_RETURN_IF_ERROR(CheckOneDatatype({&query, &key, &value, &scale, &mask, &output}, kFloats,
                                           Quantization::kIsEqual));
  return CheckFlags(wire.flags());
}

Status DefineAttention(const NodeDefinition& definition, const XNode& node) {
  const XNNScaledDotProductAttention& wire = AttentionOf(node);
  const DefinedValue& query = definition.value(wire.query_id());
  const DefinedValue& key = definition.value(wire.key_id());
  const DefinedValue& value = definition.value(wire.value_id());
  const DefinedValue& scale = definition.value(wire.scale_id());
  const DefinedValue& mask = definition.value(wire.mask_id());
  const DefinedValue& output = definition.value(wire.output_id());
  return DefineAttention(definition.subgraph,
                         {XnnDatatypeOf(output.datatype), query.rank(), key.rank(), query.xnn_id,
                          key.xnn_id, value.xnn_id, scale.xnn_id, mask.xnn_id, output.xnn_id});
}

}  // namespace onepack
