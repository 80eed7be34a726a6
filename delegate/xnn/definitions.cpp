#include "delegate/xnn/definitions.h"

#include "delegate/xnn/differences.h"
#include "delegate/xnn/handles.h"

namespace onepack {
namespace {

// Templates over the type of the subgraph, for the branch that is not taken calls what the header
// does not have.

template <typename Subgraph>
xnn_status Concatenate(Subgraph subgraph, int32_t axis, Span<const uint32_t> in, uint32_t output) {
  if constexpr (kConcatenatesAny) {
    return xnn_define_concatenate(subgraph, axis, in.size(), in.data(), output, 0);
  } else {
    switch (in.size()) {
      case 2:
        return xnn_define_concatenate2(subgraph, axis, in[0], in[1], output, 0);
      case 3:
        return xnn_define_concatenate3(subgraph, axis, in[0], in[1], in[2], output, 0);
      case 4:
        return xnn_define_concatenate4(subgraph, axis, in[0], in[1], in[2], in[3], output, 0);
      default:
        return xnn_define_concatenate5(subgraph, axis, in[0], in[1], in[2], in[3], in[4], output,
                                       0);
    }
  }
}

template <typename Subgraph>
xnn_status Pad(Subgraph subgraph, size_t rank, const size_t* before, const size_t* after,
               float value, uint32_t input, uint32_t output) {
  if constexpr (kPadsAreCounted) {
    return xnn_define_static_constant_pad_v2(subgraph, rank, before, after, value, input, output,
                                             0);
  } else {
    return xnn_define_static_constant_pad(subgraph, before, after, value, input, output, 0);
  }
}

// Of key or value, the heads that they do not have.
Result<uint32_t> WithHeads(xnn_subgraph_t subgraph, const AttentionValues& values, uint32_t id) {
  if (values.key_rank == values.query_rank) return id;
  ONEPACK_ASSIGN_OR_RETURN(const uint32_t expanded,
                           DefineBetween(subgraph, values.datatype, values.query_rank));
  const size_t axis = values.query_rank - 3;
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_define_static_expand_dims(subgraph, 1, &axis, id, expanded, 0),
                              "defining keys or values of one head");
  return expanded;
}

// The logits, with the mask.
Result<uint32_t> ComposeLogits(xnn_subgraph_t subgraph, const AttentionValues& values) {
  const auto between = [&] { return DefineBetween(subgraph, values.datatype, values.query_rank); };
  ONEPACK_ASSIGN_OR_RETURN(const uint32_t key, WithHeads(subgraph, values, values.key));
  ONEPACK_ASSIGN_OR_RETURN(const uint32_t scaled, between());
  ONEPACK_ASSIGN_OR_RETURN(const uint32_t products, between());
  ONEPACK_ASSIGN_OR_RETURN(const uint32_t masked, between());
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_define_binary(subgraph, xnn_binary_multiply, nullptr,
                                                values.query, values.scale, scaled, 0),
                              "defining scaled queries");
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_batch_matrix_multiply(subgraph, scaled, key, products, XNN_FLAG_TRANSPOSE_B),
      "defining products of queries and keys");
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_binary(subgraph, xnn_binary_add, nullptr, products, values.mask, masked, 0),
      "defining masked logits");
  return masked;
}

template <typename Subgraph>
Status Attend(Subgraph subgraph, const AttentionValues& values) {
  if constexpr (kComposesAttention) {
    return ComposeAttention(subgraph, values);
  } else {
    ONEPACK_RETURN_IF_XNN_ERROR(
        xnn_define_scaled_dot_product_attention(subgraph, xnn_attention_logits_cap_type_none,
                                                nullptr, values.query, values.key, values.value,
                                                values.scale, values.mask, values.output, 0),
        "defining the node");
    return Status::Ok();
  }
}

}  // namespace

Result<uint32_t> DefineBetween(xnn_subgraph_t subgraph, xnn_datatype datatype, size_t rank) {
  // It grows when a runtime is reshaped.
  const size_t dims[XNN_MAX_TENSOR_DIMS] = {1, 1, 1, 1, 1, 1};
  uint32_t id = XNN_INVALID_VALUE_ID;
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_define_tensor_value(subgraph, datatype, rank, dims, nullptr,
                                                      XNN_INVALID_VALUE_ID, 0, &id),
                              "defining a value between nodes");
  return id;
}

xnn_status DefineConcatenation(xnn_subgraph_t subgraph, int32_t axis, Span<const uint32_t> inputs,
                               uint32_t output) {
  return Concatenate(subgraph, axis, inputs, output);
}

xnn_status DefineConstantPadding(xnn_subgraph_t subgraph, size_t rank, const size_t* before,
                                 const size_t* after, float value, uint32_t input,
                                 uint32_t output) {
  return Pad(subgraph, rank, before, after, value, input, output);
}

Status ComposeAttention(xnn_subgraph_t subgraph, const AttentionValues& values) {
  ONEPACK_ASSIGN_OR_RETURN(const uint32_t logits, ComposeLogits(subgraph, values));
  ONEPACK_ASSIGN_OR_RETURN(const uint32_t value, WithHeads(subgraph, values, values.value));
  ONEPACK_ASSIGN_OR_RETURN(const uint32_t weights,
                           DefineBetween(subgraph, values.datatype, values.query_rank));
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_define_softmax(subgraph, logits, weights, 0),
                              "defining the softmax of logits");
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_batch_matrix_multiply(subgraph, weights, value, values.output, 0),
      "defining weighted sums of values");
  return Status::Ok();
}

Status DefineAttention(xnn_subgraph_t subgraph, const AttentionValues& values) {
  return Attend(subgraph, values);
}

}  // namespace onepack
