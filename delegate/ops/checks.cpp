#include "delegate/ops/checks.h"

#include "base/checked_math.h"
#include "delegate/graph/graph_value.h"

namespace onepack {
namespace {

constexpr uint32_t kMaxGeometry = 1u << 24;

}  // namespace

bool Clamp::is_infinite() const {
  return min == -std::numeric_limits<float>::infinity() &&
         max == std::numeric_limits<float>::infinity();
}

Clamp ClampOf(const wire::xnnpack::XNode& node) {
  Clamp clamp;
  if (node.output_min_max() != nullptr) {
    clamp.min = node.output_min_max()->output_min();
    clamp.max = node.output_min_max()->output_max();
  }
  return clamp;
}

Status CheckClamp(const wire::xnnpack::XNode& node) {
  const Clamp clamp = ClampOf(node);
  if (clamp.min <= clamp.max) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile, "an output range from %g to %g",
                       static_cast<double>(clamp.min), static_cast<double>(clamp.max));
}

float ScaleOf(const GraphValue& value) {
  const auto* quantized = value.wire->xvalue_union_as_XNNQuantizedTensorValue();
  const auto* quant = quantized != nullptr ? quantized->quant_params_as_PerTensorQuant() : nullptr;
  return quant != nullptr ? quant->scale() : 1.0f;
}

Status CheckScaleRatio(float ratio, float lowest, float highest) {
  if (ratio >= lowest && ratio <= highest) return Status::Ok();
  return Status::Error(StatusCode::kUnsupported,
                       "scales of inputs and output that make a factor of %g are not supported, "
                       "from %g to %g expected",
                       static_cast<double>(ratio), static_cast<double>(lowest),
                       static_cast<double>(highest));
}

Status CheckFlags(uint32_t flags, uint32_t allowed) {
  if ((flags & ~allowed) == 0) return Status::Ok();
  return Status::Error(StatusCode::kUnsupported, "flags 0x%x are not supported", flags);
}

Status CheckOneDatatype(std::initializer_list<const GraphValue*> values,
                        std::initializer_list<wire::xnnpack::XNNDatatype> datatypes,
                        Quantization quantization) {
  const GraphValue& first = **values.begin();
  bool is_known = false;
  for (const auto datatype : datatypes) is_known = is_known || first.datatype() == datatype;
  if (!is_known) {
    return Status::Error(StatusCode::kUnsupported, "operands of datatype %s are not supported",
                         DatatypeName(first.datatype()));
  }
  for (const GraphValue* value : values) {
    if (value->datatype() != first.datatype()) {
      return Status::Error(StatusCode::kUnsupported, "%s together with %s is not supported",
                           DatatypeName(first.datatype()), DatatypeName(value->datatype()));
    }
    if (quantization == Quantization::kIsEqual && value->quant_params != first.quant_params) {
      return Status::Error(StatusCode::kUnsupported,
                           "operands of different scale or zero point are not supported");
    }
  }
  return Status::Ok();
}

Status NoConversion(const GraphValue& input, const GraphValue& output) {
  return Status::Error(StatusCode::kUnsupported, "from %s to %s is not supported",
                       DatatypeName(input.datatype()), DatatypeName(output.datatype()));
}

Status CheckGeometry(const char* what, uint32_t number, bool may_be_zero) {
  if (number < kMaxGeometry && (number > 0 || may_be_zero)) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile, "a %s of %u", what, number);
}

uint64_t PackedMatrixBytes(uint64_t count, uint64_t rows, uint64_t columns) {
  constexpr uint64_t kRowTile = 32;
  constexpr uint64_t kColumnTile = 8;
  uint64_t bytes = 0;
  const bool fits =
      CheckedMultiply<uint64_t>(rows / kRowTile + 1, columns / kColumnTile + 2, &bytes) &&
      CheckedMultiply<uint64_t>(bytes, kRowTile * kColumnTile * sizeof(float), &bytes) &&
      CheckedMultiply(bytes, count, &bytes);
  return fits ? bytes : UINT64_MAX;
}

Inference Inferred(const Shape& output) {
  Inference inference;
  inference.outputs.push_back(output);
  return inference;
}

}  // namespace onepack
