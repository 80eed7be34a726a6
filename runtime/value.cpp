#include "onepack/value.h"

namespace onepack {

const char* ValueKindName(ValueKind kind) {
  switch (kind) {
    case ValueKind::kNone:
      return "none";
    case ValueKind::kInt:
      return "int";
    case ValueKind::kBool:
      return "bool";
    case ValueKind::kDouble:
      return "double";
    case ValueKind::kString:
      return "string";
    case ValueKind::kTensor:
      return "tensor";
    case ValueKind::kIntList:
      return "int list";
    case ValueKind::kBoolList:
      return "bool list";
    case ValueKind::kDoubleList:
      return "double list";
    case ValueKind::kTensorList:
      return "tensor list";
    case ValueKind::kOptionalTensorList:
      return "optional tensor list";
  }
  return "unknown";
}

}  // namespace onepack
