// Nodes with weights that XNNPACK packs: what they have in common.

#ifndef ONEPACK_DELEGATE_OPS_WEIGHTS_H_
#define ONEPACK_DELEGATE_OPS_WEIGHTS_H_

#include "delegate/ops/checks.h"

namespace onepack {

// The values of such a node.
struct WeightedValues {
  const GraphValue& input;
  const GraphValue& filter;
  const GraphValue* bias;  // null for none
  const GraphValue& output;
  // What XNNPACK is given: those of the file until the family widens them.
  wire::xnnpack::XNNDatatype filter_datatype;
  wire::xnnpack::XNNDatatype bias_datatype;  // `invalid` for none

  // Whether XNNPACK can pack filter and bias once and for all.
  bool are_constant() const {
    return filter.is_constant() && (bias == nullptr || bias->is_constant());
  }
};

template <typename Wire>
WeightedValues WeightedValuesOf(const NodeValues& values, const Wire& wire) {
  const GraphValue& filter = values.value(wire.filter_id());
  const GraphValue* bias = wire.bias_id() != kNoValue ? &values.value(wire.bias_id()) : nullptr;
  return {values.value(wire.input1_id()),
          filter,
          bias,
          values.value(wire.output_id()),
          filter.datatype(),
          bias != nullptr ? bias->datatype() : wire::xnnpack::XNNDatatype::invalid};
}

template <typename Wire>
Operands WeightedOperands(const Wire& wire) {
  Operands operands{{wire.input1_id(), wire.filter_id()}, {wire.output_id()}, {wire.filter_id()}};
  if (wire.bias_id() != kNoValue) {
    operands.inputs.push_back(wire.bias_id());
    operands.packed.push_back(wire.bias_id());
  }
  return operands;
}

// Datatypes that go together in one node.
struct WeightedTypes {
  wire::xnnpack::XNNDatatype input;
  wire::xnnpack::XNNDatatype filter;
  wire::xnnpack::XNNDatatype bias;
  wire::xnnpack::XNNDatatype output;
};

// kUnsupported unless the values' datatypes are a row of the table.
Status CheckTypes(const WeightedValues& values, Span<const WeightedTypes> table);

// kInvalidFile unless the per-channel scales of filter and bias, if any, go by the output channels:
// XNNPACK reads as many as there are of these.
Status CheckChannelDims(const WeightedValues& values, size_t filter_dim);

// kInvalidFile unless a dynamically quantized input has one scale for each run of `expected` dims:
// XNNPACK reads one for each, however many there are.
Status CheckScaleRuns(const GraphValue& input, int32_t expected);

// kInvalidFile unless the bias is absent or has one element for each channel, in its innermost dim:
// [channels], or [1, channels] where it stood for a sum that broadcasts.
Status CheckBias(const Shapes& shapes, uint32_t bias_id, size_t channels);

// The weight of a filter and a bias that are constants. `consumer` has all that packing may depend
// on but for the values, which are added here: the datatype and quantization of input and output go
// into the packed bytes too.
Weight WeightOf(const WeightedValues& values, DigestBuilder& consumer);

// WeightIdentity::quantization. `bias` is null for none.
Digest QuantizationOf(const GraphValue& filter, const GraphValue* bias);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_OPS_WEIGHTS_H_
