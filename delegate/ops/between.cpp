#include "delegate/ops/between.h"

namespace onepack {

bool Is16BitFloat(wire::xnnpack::XNNDatatype datatype) {
  return datatype == wire::xnnpack::XNNDatatype::fp16 ||
         datatype == wire::xnnpack::XNNDatatype::bf16;
}

Result<uint32_t> WidenFloats(xnn_subgraph_t subgraph, const DefinedValue& value) {
  if (!Is16BitFloat(value.datatype)) return value.xnn_id;
  ONEPACK_ASSIGN_OR_RETURN(const uint32_t id,
                           DefineBetween(subgraph, xnn_datatype_fp32, value.rank()));
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_unary(subgraph, xnn_unary_convert, nullptr, value.xnn_id, id, 0),
      "defining the conversion of an operand");
  return id;
}

Result<WidenedOutput> WidenedOutput::Open(xnn_subgraph_t subgraph, const DefinedValue& value) {
  uint32_t id = value.xnn_id;
  if (Is16BitFloat(value.datatype)) {
    ONEPACK_ASSIGN_OR_RETURN(id, DefineBetween(subgraph, xnn_datatype_fp32, value.rank()));
  }
  return WidenedOutput(subgraph, value, id);
}

Status WidenedOutput::Close() const {
  if (id_ == value_->xnn_id) return Status::Ok();
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_unary(subgraph_, xnn_unary_convert, nullptr, id_, value_->xnn_id, 0),
      "defining the conversion of the output");
  return Status::Ok();
}

}  // namespace onepack
