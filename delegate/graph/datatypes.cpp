#include "delegate/graph/datatypes.h"

namespace onepack {

using wire::xnnpack::XNNDatatype;

const char* DatatypeName(XNNDatatype datatype) {
  return datatype >= XNNDatatype::MIN && datatype <= XNNDatatype::MAX
             ? wire::xnnpack::EnumNameXNNDatatype(datatype)
             : "unknown";
}

size_t ElementBits(XNNDatatype datatype) {
  switch (datatype) {
    case XNNDatatype::qcint4:
    case XNNDatatype::qbint4:
      return 4;
    case XNNDatatype::qint8:
    case XNNDatatype::quint8:
    case XNNDatatype::qcint8:
    case XNNDatatype::qdint8:
      return 8;
    case XNNDatatype::fp16:
    case XNNDatatype::bf16:
      return 16;
    case XNNDatatype::fp32:
    case XNNDatatype::qint32:
    case XNNDatatype::qcint32:
    case XNNDatatype::int32:
      return 32;
    default:
      return 0;
  }
}

xnn_datatype XnnDatatypeOf(XNNDatatype datatype) {
  switch (datatype) {
    case XNNDatatype::fp32:
      return xnn_datatype_fp32;
    case XNNDatatype::fp16:
      return xnn_datatype_fp16;
    case XNNDatatype::bf16:
      return xnn_datatype_bf16;
    case XNNDatatype::int32:
      return xnn_datatype_int32;
    case XNNDatatype::qint8:
      return xnn_datatype_qint8;
    case XNNDatatype::quint8:
      return xnn_datatype_quint8;
    case XNNDatatype::qint32:
      return xnn_datatype_qint32;
    case XNNDatatype::qcint32:
      return xnn_datatype_qcint32;
    case XNNDatatype::qcint8:
      return xnn_datatype_qcint8;
    case XNNDatatype::qcint4:
      return xnn_datatype_qcint4;
    case XNNDatatype::qbint4:
      return xnn_datatype_qbint4;
    case XNNDatatype::qdint8:
      return xnn_datatype_qdint8;
    default:
      return xnn_datatype_invalid;
  }
}

XNNDatatype WidenedDatatype(XNNDatatype datatype) {
  return datatype == XNNDatatype::qcint4 ? XNNDatatype::qcint8 : XNNDatatype::fp32;
}

}  // namespace onepack
