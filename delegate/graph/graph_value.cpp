#include "delegate/graph/graph_value.h"

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

XNNDatatype WidenedDatatype(XNNDatatype datatype) {
  return datatype == XNNDatatype::qcint4 ? XNNDatatype::qcint8 : XNNDatatype::fp32;
}

}  // namespace onepack
