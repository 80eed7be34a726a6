// One value of a graph as the node definers see it: its description, its XNNPACK id, and who made
// it.

#ifndef ONEPACK_DELEGATE_GRAPH_VALUE_H_
#define ONEPACK_DELEGATE_GRAPH_VALUE_H_

#include <stdint.h>
#include <xnnpack.h>

#include <vector>

#include "schema/verify_payload.h"
#include "weight_cache/digest.h"

namespace onepack {

struct GraphValue {
  const wire::xnnpack::XValue* wire = nullptr;
  uint32_t xnn_id = XNN_INVALID_VALUE_ID;

  // Equal for constants of equal bytes.
  Digest content;
  // Datatype, dims and quantization parameters, scales included.
  Digest description;
  // What XNNPACK is given as the bytes of a constant.
  const void* data = nullptr;

  // Something has written it: it is a constant or an input of the graph, or a node before produced
  // it.
  bool is_defined = false;
  bool is_external_output = false;
  // XNNPACK plans at least as much memory as it is told at definition, and never less: a value
  // whose size it computes from inputs is defined with one row, and grows when a run needs more.
  bool starts_small = false;

  // The value whose dims this one has, through nodes of one input that keep dims; its own id
  // otherwise.
  uint32_t dims_of = XNN_INVALID_VALUE_ID;

  const wire::xnnpack::XNNTensorValue& tensor() const { return TensorOf(*wire); }
  wire::xnnpack::XNNDatatype datatype() const { return tensor().datatype(); }
  bool is_constant() const { return constant_index() != 0; }
  uint32_t constant_index() const { return tensor().constant_buffer_idx(); }
  size_t rank() const { return tensor().num_dims(); }
  // REQUIRES: i < rank().
  size_t dim(size_t i) const { return DimsOf(tensor())[i]; }
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_GRAPH_VALUE_H_
