// Nodes that move elements and compute nothing: transpose, reshape, slice, pad.

#include <math.h>

#include <algorithm>
#include <iterator>

#include "base/checked_math.h"
#include "base/small_floats.h"
#include "delegate/ops/between.h"
#include "delegate/ops/checks.h"
#include "delegate/ops/families.h"
#include "delegate/xnn/handles.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNNStaticConstantPad;
using wire::xnnpack::XNNStaticReshape;
using wire::xnnpack::XNNStaticSlice;
using wire::xnnpack::XNNStaticTranspose;
using wire::xnnpack::XNode;

using Numbers = flatbuffers::Vector<uint32_t>;

// XNNPACK's count of dims.
struct Sizes {
  explicit Sizes(const Numbers* numbers) {
    for (size_t i = 0; i < CountOf(numbers); ++i) {
      values[i] = numbers->Get(static_cast<flatbuffers::uoffset_t>(i));
    }
  }
  size_t values[XNN_MAX_TENSOR_DIMS] = {};
};

Status CheckCount(const char* what, const Numbers* numbers, size_t expected) {
  if (CountOf(numbers) == expected) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile, "%zu %s, %zu expected", CountOf(numbers), what,
                       expected);
}

Status CheckRank(const char* what, uint32_t found, const Shape& input) {
  if (found == input.rank() && found > 0) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile, "%s of %u dims for an input of rank %zu", what,
                       found, input.rank());
}

template <typename Wire>
Operands OneToOne(const Wire& wire) {
  return {{wire.input_id()}, {wire.output_id()}, {}};
}

const XNNStaticTranspose& TransposeOf(const XNode& node) {
  return *node.xnode_union_as_XNNStaticTranspose();
}
const XNNStaticReshape& ReshapeOf(const XNode& node) {
  return *node.xnode_union_as_XNNStaticReshape();
}
const XNNStaticSlice& SliceOf(const XNode& node) { return *node.xnode_union_as_XNNStaticSlice(); }
const XNNStaticConstantPad& PadOf(const XNode& node) {
  return *node.xnode_union_as_XNNStaticConstantPad();
}

// A run of `size` from `offset` on; size 0 means all.
Status CheckRun(size_t offset, size_t size, size_t dim) {
  if (InRange(offset, size, dim) && (size > 0 || offset == 0)) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile, "a slice of %zu from %zu on of %zu", size, offset,
                       dim);
}

// XNNPACK's kernels for these move 8, 16 or 32 bits.
constexpr auto kMovable = {XNNDatatype::fp32, XNNDatatype::fp16, XNNDatatype::bf16,
                           XNNDatatype::qint8, XNNDatatype::quint8};

template <typename Wire>
Status CheckMove(const NodeValues& values, const Wire& wire) {
  ONEPACK_RETURN_IF_ERROR(
      CheckOneDatatype({&values.value(wire.input_id()), &values.value(wire.output_id())}, kMovable,
                       Quantization::kIsEqual));
  return CheckFlags(wire.flags());
}

}  // namespace

Operands TransposeOperands(const XNode& node) { return OneToOne(TransposeOf(node)); }

Result<Inference> InferTranspose(const Shapes& shapes, const XNode& node) {
  const XNNStaticTranspose& wire = TransposeOf(node);
  const Shape& input = shapes.at(wire.input_id());
  ONEPACK_RETURN_IF_ERROR(CheckRank("a transpose", wire.num_dims(), input));
  ONEPACK_RETURN_IF_ERROR(CheckCount("dims in perm", wire.perm(), input.rank()));
  Shape output = input;
  bool is_taken[kMaxGraphRank] = {};
  for (size_t i = 0; i < input.rank(); ++i) {
    const uint32_t from = wire.perm()->Get(static_cast<uint32_t>(i));
    if (from >= input.rank() || is_taken[from]) {
      return Status::Error(StatusCode::kInvalidFile, "perm is no permutation: %u at %zu", from, i);
    }
    is_taken[from] = true;
    output[i] = input[from];
  }
  return Inferred(output);
}

Status CheckTranspose(const NodeValues& values, const XNode& node) {
  return CheckMove(values, TransposeOf(node));
}

Status DefineTranspose(const NodeDefinition& definition, const XNode& node) {
  const XNNStaticTranspose& wire = TransposeOf(node);
  const DefinedValue& input = definition.value(wire.input_id());
  const DefinedValue& output = definition.value(wire.output_id());
  const Sizes perm(wire.perm());
  return DefineMove(definition.subgraph, input, output, [&](uint32_t from, uint32_t to) {
    return xnn_define_static_transpose(definition.subgraph, input.rank(), perm.values, from, to, 0);
  });
}

Operands ReshapeOperands(const XNode& node) { return OneToOne(ReshapeOf(node)); }

// One dim of the new shape may be 0: it takes what is left.
Result<Inference> InferReshape(const Shapes& shapes, const XNode& node) {
  const XNNStaticReshape& wire = ReshapeOf(node);
  const Shape& input = shapes.at(wire.input_id());
  if (wire.num_dims() > kMaxGraphRank) {
    return Status::Error(StatusCode::kInvalidFile, "a new shape of rank %u", wire.num_dims());
  }
  ONEPACK_RETURN_IF_ERROR(CheckCount("dims in new_shape", wire.new_shape(), wire.num_dims()));
  // Exporters know of no value of rank 0, but of nodes that make one: it has one element, whatever
  // its rank.
  if (wire.num_dims() == 0 && input.element_count() == 1) {
    const Shape& scalar = shapes.at(wire.output_id());
    if (scalar.element_count() == 1) return Inferred(scalar);
  }
  Shape output;
  size_t open = kMaxGraphRank;
  for (size_t i = 0; i < wire.num_dims(); ++i) {
    output.Append(wire.new_shape()->Get(static_cast<uint32_t>(i)));
    if (output[i] != 0) continue;
    if (open < kMaxGraphRank) {
      return Status::Error(StatusCode::kInvalidFile, "two dims of the new shape are open");
    }
    open = i;
    output[i] = 1;
  }
  const size_t count = input.element_count();
  const size_t rest = output.element_count();
  if (open < kMaxGraphRank && count % rest == 0) output[open] = count / rest;
  if (output.element_count() != count) {
    return Status::Error(StatusCode::kInvalidFile, "an input %s cannot be reshaped to %s",
                         input.Text().c_str(), output.Text().c_str());
  }
  return Inferred(output);
}

Status CheckReshape(const NodeValues& values, const XNode& node) {
  const XNNStaticReshape& wire = ReshapeOf(node);
  const GraphValue& input = values.value(wire.input_id());
  const GraphValue& output = values.value(wire.output_id());
  ONEPACK_RETURN_IF_ERROR(
      CheckOneDatatype({&input, &output},
                       {XNNDatatype::fp32, XNNDatatype::fp16, XNNDatatype::bf16, XNNDatatype::qint8,
                        XNNDatatype::quint8, XNNDatatype::int32},
                       Quantization::kIsEqual));
  return CheckFlags(wire.flags());
}

Status DefineReshape(const NodeDefinition& definition, const XNode& node) {
  const XNNStaticReshape& wire = ReshapeOf(node);
  const DefinedValue& input = definition.value(wire.input_id());
  const DefinedValue& output = definition.value(wire.output_id());
  Sizes new_shape(wire.new_shape());
  if (wire.num_dims() == 0) std::fill(std::begin(new_shape.values), std::end(new_shape.values), 1);
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_static_reshape(definition.subgraph, output.rank(), new_shape.values, input.xnn_id,
                                output.xnn_id, 0),
      "defining the node");
  return Status::Ok();
}

Operands SliceOperands(const XNode& node) { return OneToOne(SliceOf(node)); }

Result<Inference> InferSlice(const Shapes& shapes, const XNode& node) {
  const XNNStaticSlice& wire = SliceOf(node);
  const Shape& input = shapes.at(wire.input_id());
  ONEPACK_RETURN_IF_ERROR(CheckRank("a slice", wire.num_dims(), input));
  ONEPACK_RETURN_IF_ERROR(CheckCount("offsets", wire.offsets(), input.rank()));
  ONEPACK_RETURN_IF_ERROR(CheckCount("sizes", wire.sizes(), input.rank()));
  Shape output = input;
  for (size_t i = 0; i < input.rank(); ++i) {
    const auto index = static_cast<uint32_t>(i);
    const size_t size = wire.sizes()->Get(index);
    ONEPACK_RETURN_IF_ERROR(CheckRun(wire.offsets()->Get(index), size, input[i]));
    if (size > 0) output[i] = size;
  }
  return Inferred(output);
}

Status CheckSlice(const NodeValues& values, const XNode& node) {
  return CheckMove(values, SliceOf(node));
}

Status DefineSlice(const NodeDefinition& definition, const XNode& node) {
  const XNNStaticSlice& wire = SliceOf(node);
  const DefinedValue& input = definition.value(wire.input_id());
  const DefinedValue& output = definition.value(wire.output_id());
  const Sizes offsets(wire.offsets());
  const Sizes sizes(wire.sizes());
  return DefineMove(definition.subgraph, input, output, [&](uint32_t from, uint32_t to) {
    return xnn_define_static_slice(definition.subgraph, input.rank(), offsets.values, sizes.values,
                                   from, to, 0);
  });
}

Operands PadOperands(const XNode& node) { return OneToOne(PadOf(node)); }

Result<Inference> InferPad(const Shapes& shapes, const XNode& node) {
  const XNNStaticConstantPad& wire = PadOf(node);
  Shape output = shapes.at(wire.input_id());
  ONEPACK_RETURN_IF_ERROR(CheckCount("pre_paddings", wire.pre_paddings(), output.rank()));
  ONEPACK_RETURN_IF_ERROR(CheckCount("post_paddings", wire.post_paddings(), output.rank()));
  for (size_t i = 0; i < output.rank(); ++i) {
    const auto index = static_cast<uint32_t>(i);
    // Of 32 bits each.
    output[i] += size_t{wire.pre_paddings()->Get(index)} + wire.post_paddings()->Get(index);
  }
  return Inferred(output);
}

Status CheckPad(const NodeValues& values, const XNode& node) {
  const XNNStaticConstantPad& wire = PadOf(node);
  ONEPACK_RETURN_IF_ERROR(CheckMove(values, wire));
  const XNNDatatype datatype = values.value(wire.input_id()).datatype();
  const bool is_float = datatype == XNNDatatype::fp32 || Is16BitFloat(datatype);
  if (!isnan(wire.padding_value()) || is_float) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile, "padded with something that is not a number");
}

Status DefinePad(const NodeDefinition& definition, const XNode& node) {
  const XNNStaticConstantPad& wire = PadOf(node);
  const DefinedValue& input = definition.value(wire.input_id());
  const DefinedValue& output = definition.value(wire.output_id());
  const Sizes before(wire.pre_paddings());
  const Sizes after(wire.post_paddings());
  // XNNPACK cuts off what bf16 has no bits for.
  const float value = input.datatype == XNNDatatype::bf16 && isfinite(wire.padding_value())
                          ? FloatOfBfloat16(Bfloat16OfFloat(wire.padding_value()))
                          : wire.padding_value();
  return DefineMove(definition.subgraph, input, output, [&](uint32_t from, uint32_t to) {
    return DefineConstantPadding(definition.subgraph, input.rank(), before.values, after.values,
                                 value, from, to);
  });
}

}  // namespace onepack
