// Values and nodes of ours between those of the file: for what XNNPACK computes in fp32 only.

#ifndef ONEPACK_DELEGATE_OPS_BETWEEN_H_
#define ONEPACK_DELEGATE_OPS_BETWEEN_H_

#include "delegate/ops/op.h"
#include "delegate/xnn/definitions.h"
#include "delegate/xnn/handles.h"
#include "onepack/result.h"

namespace onepack {

// Whether it is fp16 or bf16.
bool Is16BitFloat(wire::xnnpack::XNNDatatype datatype);

// The id of the value with its 16-bit floats as fp32, by a node between; of any other value as it
// is.
Result<uint32_t> WidenFloats(xnn_subgraph_t subgraph, const DefinedValue& value);

// The output of a node that has 16-bit floats, computed as fp32.
class WidenedOutput {
 public:
  // `value` outlives it.
  static Result<WidenedOutput> Open(xnn_subgraph_t subgraph, const DefinedValue& value);

  // What the node writes: fp32 where the value has 16-bit floats, else the value itself.
  uint32_t id() const { return id_; }
  // After the node is defined: from there to the value. What bf16 has no bits for is cut off by
  // XNNPACK, not rounded.
  Status Close() const;

 private:
  WidenedOutput(xnn_subgraph_t subgraph, const DefinedValue& value, uint32_t id)
      : subgraph_(subgraph), value_(&value), id_(id) {}

  xnn_subgraph_t subgraph_;
  const DefinedValue* value_;
  uint32_t id_;
};

// Defines a node that moves elements, by `define(id of input, id of output)`. XNNPACK moves no
// bf16: they are moved as fp32, which changes none.
template <typename Define>
Status DefineMove(xnn_subgraph_t subgraph, const DefinedValue& input, const DefinedValue& output,
                  const Define& define) {
  if (output.datatype != wire::xnnpack::XNNDatatype::bf16) {
    ONEPACK_RETURN_IF_XNN_ERROR(define(input.xnn_id, output.xnn_id), "defining the node");
    return Status::Ok();
  }
  ONEPACK_ASSIGN_OR_RETURN(const uint32_t from, WidenFloats(subgraph, input));
  ONEPACK_ASSIGN_OR_RETURN(const WidenedOutput to, WidenedOutput::Open(subgraph, output));
  ONEPACK_RETURN_IF_XNN_ERROR(define(from, to.id()), "defining the node");
  return to.Close();
}

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_OPS_BETWEEN_H_
