// One value of a graph as the node definers see it: its description, its XNNPACK id, and who made
// it.

#ifndef ONEPACK_DELEGATE_GRAPH_GRAPH_VALUE_H_
#define ONEPACK_DELEGATE_GRAPH_GRAPH_VALUE_H_

#include <stdint.h>
#include <xnnpack.h>

#include <tuple>

#include "base/digest.h"
#include "delegate/graph/datatypes.h"
#include "schema/verify_payload.h"

namespace onepack {

// A run of a constant's output channels: what XNNPACK is shown of it when it is packed bit by bit
// (sliced_packing.h).
struct ChannelSlice {
  size_t dim = 0;  // of the constant: its output channels
  size_t count = 0;
  // The first scale of the run, as XNNPACK takes them; null for a constant that has none.
  const void* scales = nullptr;
};

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

struct GraphValue {
  explicit GraphValue(const wire::xnnpack::XValue& value)
      : wire(&value), wire_tensor(&TensorOf(value)) {}

  const wire::xnnpack::XValue* wire;
  const wire::xnnpack::XNNTensorValue* wire_tensor;  // in it
  uint32_t xnn_id = XNN_INVALID_VALUE_ID;

  // Equal for constants of equal bytes.
  Digest content;
  QuantParams quant_params;
  // What XNNPACK is given as the bytes of a constant.
  const void* data = nullptr;

  // The first node that writes it; null if there is none.
  const wire::xnnpack::XNode* writer = nullptr;

  // Something has written it: it is a constant or an input of the graph, or a node before produced
  // it.
  bool is_defined = false;
  bool is_external_output = false;
  // A node reads it otherwise than to pack it.
  bool is_in_place = false;
  // For an output, directly or not.
  bool is_needed = false;
  // Of an arg-max: XNNPACK does not compute its shape.
  bool is_index = false;
  // XNNPACK plans at least as much memory as it is told at definition, and never less: a value
  // whose size it computes from inputs is defined with one element, and grows when a run needs
  // more.
  bool starts_small = false;
  // The caller gives or takes it, or a node that is needed reads or writes it. XNNPACK is not shown
  // any other.
  bool is_used = false;
  // A node that is needed writes it, and nothing reads it. XNNPACK would forget such a value, and
  // then let the node write to nowhere.
  bool is_waste = false;
  // A constant that XNNPACK is given with elements of twice the size.
  bool is_widened = false;
  // The cache has all that is packed of it: XNNPACK is shown ones for its scales, which are not
  // read. No weight of it must be packed.
  bool with_ones = false;
  // Null for all of it. `data` is then the first byte of the slice.
  const ChannelSlice* slice = nullptr;

  const wire::xnnpack::XNNTensorValue& tensor() const { return *wire_tensor; }
  // As nodes see it.
  wire::xnnpack::XNNDatatype datatype() const {
    if (is_widened) return WidenedDatatype(tensor().datatype());
    return is_quantized_on_entry() ? wire::xnnpack::XNNDatatype::qdint8 : tensor().datatype();
  }
  // The old spelling of an external float value that is quantized before nodes see it.
  bool is_quantized_on_entry() const {
    return tensor().dq_datatype() != wire::xnnpack::XNNDatatype::invalid;
  }
  bool is_constant() const { return constant_index() != 0; }
  uint32_t constant_index() const { return tensor().constant_buffer_idx(); }
  size_t rank() const { return tensor().num_dims(); }
  // As in the file: the bound of a dynamic dim. REQUIRES: i < rank().
  size_t dim(size_t i) const { return DimsOf(tensor())[i]; }
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_GRAPH_GRAPH_VALUE_H_
