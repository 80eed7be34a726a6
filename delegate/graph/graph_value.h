// One value of a graph, as the file has it; and its datatype.

#ifndef ONEPACK_DELEGATE_GRAPH_GRAPH_VALUE_H_
#define ONEPACK_DELEGATE_GRAPH_GRAPH_VALUE_H_

#include <stddef.h>
#include <stdint.h>

#include <tuple>

#include "base/digest.h"
#include "schema/verify_payload.h"
#include "xnnpack_graph_generated.h"

namespace onepack {

// "qbint4".
const char* DatatypeName(wire::xnnpack::XNNDatatype datatype);

// Bits of one element; 0 for a datatype that has no size of its own.
size_t ElementBits(wire::xnnpack::XNNDatatype datatype);

// What fp16 and bf16, and 4-bit integers, become where they are widened.
wire::xnnpack::XNNDatatype WidenedDatatype(wire::xnnpack::XNNDatatype datatype);

// In the place of a value's id, or of an external one, where there is none. XNN_INVALID_VALUE_ID.
inline constexpr uint32_t kNoValue = UINT32_MAX;

// What the flags of an external value say. XNN_VALUE_FLAG_EXTERNAL_INPUT and _OUTPUT.
inline constexpr uint32_t kExternalInput = 1;
inline constexpr uint32_t kExternalOutput = 2;

// What the elements of a value stand for. Equal for values whose elements, if they are equal, are
// equal numbers; of a value that is quantized at run time, without its numbers.
struct QuantParams {
  wire::xnnpack::XNNDatatype datatype{};
  wire::xnnpack::XNNDatatype dq_datatype{};
  wire::xnnpack::XNNQuantParams kind{};
  // Of the following, those that the kind does not have are 0.
  int32_t zero_point = 0;
  float scale = 0;
  int32_t channel_dim = 0;
  int32_t group_size = 0;
  int32_t num_nonbatch_dims = 0;  // quantized at run time: inner dims that have one scale together
  Digest scales;                  // one for each channel or group: equal for equal ones

  bool operator==(const QuantParams& other) const { return All() == other.All(); }
  bool operator!=(const QuantParams& other) const { return !(*this == other); }
  void AddTo(DigestBuilder& digest) const {
    std::apply([&](const auto&... param) { (digest.Add(param), ...); }, All());
  }

 private:
  std::tuple<const wire::xnnpack::XNNDatatype&, const wire::xnnpack::XNNDatatype&,
             const wire::xnnpack::XNNQuantParams&, const int32_t&, const float&, const int32_t&,
             const int32_t&, const int32_t&, const Digest&>
  All() const {
    return std::tie(datatype, dq_datatype, kind, zero_point, scale, channel_dim, group_size,
                    num_nonbatch_dims, scales);
  }
};

// Immutable once it is described (quantization.h).
struct GraphValue {
  explicit GraphValue(const wire::xnnpack::XValue& value)
      : wire(&value), wire_tensor(&TensorOf(value)) {}

  const wire::xnnpack::XValue* wire;
  const wire::xnnpack::XNNTensorValue* wire_tensor;  // in it
  // Of a constant: equal for equal bytes.
  Digest content;
  QuantParams quant_params;

  const wire::xnnpack::XNNTensorValue& tensor() const { return *wire_tensor; }
  // As nodes see it.
  wire::xnnpack::XNNDatatype datatype() const {
    return is_quantized_on_entry() ? wire::xnnpack::XNNDatatype::qdint8 : tensor().datatype();
  }
  // The old spelling of an external float value that is quantized before nodes see it.
  bool is_quantized_on_entry() const {
    return tensor().dq_datatype() != wire::xnnpack::XNNDatatype::invalid;
  }
  bool is_constant() const { return constant_index() != 0; }
  uint32_t constant_index() const { return tensor().constant_buffer_idx(); }
  // An argument of the delegate call. A file may say so and be neither an input nor an output.
  bool is_external() const { return tensor().external_id() != kNoValue; }
  bool is_external_input() const { return is_external() && tensor().flags() == kExternalInput; }
  bool is_external_output() const { return is_external() && tensor().flags() == kExternalOutput; }
  size_t rank() const { return tensor().num_dims(); }
  // As in the file: the bound of a dynamic dim. REQUIRES: i < rank().
  size_t dim(size_t i) const { return DimsOf(tensor())[i]; }
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_GRAPH_GRAPH_VALUE_H_
