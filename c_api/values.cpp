#include "c_api/values.h"

#include <algorithm>

#include "onepack/scalar_type.h"
#include "onepack/tensor_layout.h"

namespace onepack {
namespace {

constexpr bool Equal(int number, ScalarType type) { return number == static_cast<int>(type); }
static_assert(Equal(ONEPACK_UINT8, ScalarType::kByte));
static_assert(Equal(ONEPACK_INT8, ScalarType::kChar));
static_assert(Equal(ONEPACK_INT16, ScalarType::kShort));
static_assert(Equal(ONEPACK_INT32, ScalarType::kInt));
static_assert(Equal(ONEPACK_INT64, ScalarType::kLong));
static_assert(Equal(ONEPACK_FLOAT16, ScalarType::kHalf));
static_assert(Equal(ONEPACK_FLOAT32, ScalarType::kFloat));
static_assert(Equal(ONEPACK_FLOAT64, ScalarType::kDouble));
static_assert(Equal(ONEPACK_BOOL, ScalarType::kBool));
static_assert(Equal(ONEPACK_BFLOAT16, ScalarType::kBFloat16));

constexpr bool Equal(int number, ValueKind kind) { return number == static_cast<int>(kind); }
static_assert(Equal(ONEPACK_VALUE_NONE, ValueKind::kNone));
static_assert(Equal(ONEPACK_VALUE_INT, ValueKind::kInt));
static_assert(Equal(ONEPACK_VALUE_BOOL, ValueKind::kBool));
static_assert(Equal(ONEPACK_VALUE_DOUBLE, ValueKind::kDouble));
static_assert(Equal(ONEPACK_VALUE_STRING, ValueKind::kString));
static_assert(Equal(ONEPACK_VALUE_TENSOR, ValueKind::kTensor));

static_assert(ONEPACK_MAX_RANK == kMaxTensorRank);

void SetTensor(const Tensor& tensor, Span<const int32_t> sizes, onepack_value* value) {
  value->scalar_type = static_cast<int32_t>(tensor.scalar_type());
  value->rank = tensor.rank();
  std::copy(sizes.begin(), sizes.end(), value->sizes);
  std::copy(tensor.dim_order().begin(), tensor.dim_order().end(), value->dim_order);
}

Result<ScalarType> ScalarTypeOf(int32_t number) {
  const auto type = static_cast<ScalarType>(number);
  if (static_cast<int32_t>(type) == number && ElementSize(type) > 0) return type;
  return Status::Error(StatusCode::kInvalidArgument, "scalar type %d is none",
                       static_cast<int>(number));
}

// Zeros stand for the contiguous order.
void CompleteDimOrder(onepack_value* tensor) {
  uint8_t* order = tensor->dim_order;
  if (std::any_of(order, order + tensor->rank, [](uint8_t place) { return place != 0; })) return;
  for (size_t i = 0; i < tensor->rank; ++i) order[i] = static_cast<uint8_t>(i);
}

Result<Value> ToTensor(onepack_value& given, Tensor* tensor) {
  if (given.rank > ONEPACK_MAX_RANK) {
    return Status::Error(StatusCode::kInvalidArgument, "a tensor of rank %zu, %d at most",
                         given.rank, static_cast<int>(ONEPACK_MAX_RANK));
  }
  if (given.data == nullptr && given.size_bytes > 0) {
    return Status::Error(StatusCode::kInvalidArgument, "NULL instead of a tensor's bytes");
  }
  CompleteDimOrder(&given);
  TensorLayout layout;
  ONEPACK_ASSIGN_OR_RETURN(layout.scalar_type, ScalarTypeOf(given.scalar_type));
  layout.sizes = {given.sizes, given.rank};
  layout.dim_order = {given.dim_order, given.rank};
  // An input is only read.
  auto* bytes = static_cast<uint8_t*>(const_cast<void*>(given.data));
  ONEPACK_ASSIGN_OR_RETURN(*tensor, Tensor::Over(layout, {bytes, given.size_bytes}));
  return Value::OfTensor(tensor);
}

// All but tensors.
onepack_value Simple(const Value& value) {
  onepack_value result = {};
  result.kind = ONEPACK_VALUE_LIST;
  if (value.kind() <= ValueKind::kTensor) result.kind = static_cast<int32_t>(value.kind());
  if (value.is(ValueKind::kInt)) result.int_value = value.int_value();
  if (value.is(ValueKind::kBool)) result.int_value = value.bool_value() ? 1 : 0;
  if (value.is(ValueKind::kDouble)) result.double_value = value.double_value();
  if (value.is(ValueKind::kString)) {
    result.data = value.string_value().data();
    result.size_bytes = value.string_value().size();
  }
  return result;
}

}  // namespace

onepack_value ViewOf(const Value& value) {
  onepack_value result = Simple(value);
  if (!value.is(ValueKind::kTensor) || value.has_no_tensor()) return result;
  const Tensor& tensor = value.tensor();
  SetTensor(tensor, tensor.sizes(), &result);
  result.data = tensor.data();
  result.size_bytes = tensor.size_bytes();
  return result;
}

onepack_value SignatureOf(const Value& input) {
  onepack_value result = {};
  result.kind = Simple(input).kind;
  if (!input.is(ValueKind::kTensor) || input.has_no_tensor()) return result;
  const Tensor& tensor = input.tensor();
  SetTensor(tensor, tensor.bounds(), &result);
  // The bounds are verified when a program is loaded.
  auto size = VerifiedSizeBytes({tensor.scalar_type(), tensor.bounds(), tensor.dim_order()});
  result.size_bytes = size.ok() ? *size : 0;
  return result;
}

Result<Value> ToValue(onepack_value& given, Tensor* tensor) {
  switch (given.kind) {
    case ONEPACK_VALUE_NONE:
      return Value();
    case ONEPACK_VALUE_INT:
      return Value::OfInt(given.int_value);
    case ONEPACK_VALUE_BOOL:
      return Value::OfBool(given.int_value != 0);
    case ONEPACK_VALUE_DOUBLE:
      return Value::OfDouble(given.double_value);
    case ONEPACK_VALUE_TENSOR:
      return ToTensor(given, tensor);
    case ONEPACK_VALUE_STRING:
    case ONEPACK_VALUE_LIST:
      return Status::Error(StatusCode::kUnsupported, "a string or list cannot be set from C");
    default:
      return Status::Error(StatusCode::kInvalidArgument, "kind %d is no ONEPACK_VALUE_...",
                           static_cast<int>(given.kind));
  }
}

}  // namespace onepack
