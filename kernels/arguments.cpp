#include "kernels/arguments.h"

#include "kernels/element.h"

namespace onepack::kernels {
namespace {

// What is handed out after something was wrong. It is never written to: operators check the
// status first.
Tensor placeholder_tensor;
Value placeholder_value;

bool IsNumber(const Value& value) {
  return value.is(ValueKind::kInt) || value.is(ValueKind::kBool) || value.is(ValueKind::kDouble);
}

Number NumberOf(const Value& value) {
  if (value.is(ValueKind::kInt)) return Number::Of(value.int_value());
  if (value.is(ValueKind::kBool)) return Number::Of(value.bool_value());
  return Number::Of(value.double_value());
}

bool Names(const Value* value, const Tensor& tensor) {
  if (value == nullptr) return false;
  if (value->is(ValueKind::kTensor)) return !value->has_no_tensor() && &value->tensor() == &tensor;
  if (!value->is(ValueKind::kTensorList) && !value->is(ValueKind::kOptionalTensorList)) {
    return false;
  }
  for (const Value* item : value->list()) {
    if (item != nullptr && item->is(ValueKind::kTensor) && Names(item, tensor)) return true;
  }
  return false;
}

}  // namespace

const Value* ArgumentReader::Next(const char* name) {
  if (!status_.ok()) return nullptr;
  if (next_ >= values_.size()) {
    status_ = Status::Error(StatusCode::kInvalidFile, "%zu arguments, '%s' expected after them",
                            values_.size(), name);
    return nullptr;
  }
  const Value* value = values_[next_++];
  if (value != nullptr) return value;
  status_ = Status::Error(StatusCode::kInvalidFile, "argument '%s' is missing", name);
  return nullptr;
}

bool ArgumentReader::NextIsNone() {
  if (!status_.ok() || next_ >= values_.size()) return false;
  if (values_[next_] != nullptr && !values_[next_]->is(ValueKind::kNone)) return false;
  ++next_;
  return true;
}

void ArgumentReader::SkipToTensor() {
  while (next_ < values_.size() &&
         (values_[next_] == nullptr || !values_[next_]->is(ValueKind::kTensor))) {
    ++next_;
  }
}

void ArgumentReader::Expected(const char* name, const char* kind, const Value& found) {
  status_ = Status::Error(StatusCode::kInvalidFile, "argument '%s' is %s, %s expected", name,
                          ValueKindName(found.kind()), kind);
}

bool ArgumentReader::TakesElementsOf(ScalarType type) const {
  return elements_ == Elements::kAny || HasNumbers(type) ||
         (elements_ == Elements::kComplex && IsComplex(type));
}

bool ArgumentReader::CheckTensor(const char* name, const Value& value) {
  if (!value.is(ValueKind::kTensor) || value.has_no_tensor()) {
    Expected(name, "a tensor", value);
    return false;
  }
  const Tensor& tensor = value.tensor();
  if (!TakesElementsOf(tensor.scalar_type())) {
    status_ = Status::Error(StatusCode::kUnsupported, "argument '%s' is %s", name,
                            LayoutText(tensor.layout()).c_str());
    return false;
  }
  if (tensor.data() == nullptr && tensor.size_bytes() > 0) {
    status_ = Status::Error(StatusCode::kInvalidArgument, "argument '%s' has no data", name);
    return false;
  }
  if (reinterpret_cast<uintptr_t>(tensor.data()) % ElementAlignment(tensor.scalar_type()) != 0) {
    status_ = Status::Error(StatusCode::kInvalidFile, "argument '%s' is not aligned", name);
    return false;
  }
  return true;
}

bool ArgumentReader::IsAmongInputs(const Tensor& tensor) const {
  for (size_t i = 0; i + 1 < next_; ++i) {
    if (Names(values_[i], tensor)) return true;
  }
  return false;
}

bool ArgumentReader::CheckOutput(const char* name, const Value& value) {
  if (!CheckTensor(name, value)) return false;
  if (value.tensor().is_constant()) {
    status_ = Status::Error(StatusCode::kInvalidFile, "output '%s' is a constant", name);
  } else if (IsAmongInputs(value.tensor())) {
    // Resizing it would change what the operator has checked of its inputs.
    status_ = Status::Error(StatusCode::kInvalidFile, "output '%s' is an input too", name);
  }
  return status_.ok();
}

const Tensor& ArgumentReader::Input(const char* name) {
  const Value* value = Next(name);
  return value != nullptr && CheckTensor(name, *value) ? value->tensor() : placeholder_tensor;
}

const Tensor* ArgumentReader::OptionalInput(const char* name) {
  return NextIsNone() ? nullptr : &Input(name);
}

Tensor& ArgumentReader::Output(const char* name) {
  const Value* value = Next(name);
  return value != nullptr && CheckOutput(name, *value) ? value->tensor() : placeholder_tensor;
}

Tensor& ArgumentReader::InPlace(const char* name) {
  const Value* value = Next(name);
  if (value == nullptr || !CheckTensor(name, *value)) return placeholder_tensor;
  Tensor& tensor = value->tensor();
  if (tensor.is_constant()) {
    status_ = Status::Error(StatusCode::kInvalidFile,
                            "argument '%s' is a constant, and to be changed", name);
    return placeholder_tensor;
  }
  tensor.EndView();
  return tensor;
}

TensorList ArgumentReader::List(const char* name, bool may_lack_items, bool are_outputs) {
  const Value* value = Next(name);
  if (value == nullptr) return {};
  const bool is_list =
      value->is(ValueKind::kTensorList) || value->is(ValueKind::kOptionalTensorList);
  if (!is_list) {
    Expected(name, "a list of tensors", *value);
    return {};
  }
  for (const Value* item : value->list()) {
    const bool is_none = item == nullptr || item->is(ValueKind::kNone);
    if (is_none && may_lack_items) continue;
    if (is_none) {
      status_ = Status::Error(StatusCode::kInvalidFile, "list '%s' lacks an item", name);
      return {};
    }
    if (!(are_outputs ? CheckOutput(name, *item) : CheckTensor(name, *item))) return {};
  }
  return TensorList(value->list());
}

TensorList ArgumentReader::Inputs(const char* name) { return List(name, false, false); }
TensorList ArgumentReader::OptionalInputs(const char* name) { return List(name, true, false); }
TensorList ArgumentReader::Outputs(const char* name) { return List(name, false, true); }

int64_t ArgumentReader::Int(const char* name) {
  const Value* value = Next(name);
  if (value == nullptr) return 0;
  if (value->is(ValueKind::kInt)) return value->int_value();
  if (value->is(ValueKind::kBool)) return value->bool_value() ? 1 : 0;
  Expected(name, "an integer", *value);
  return 0;
}

Optional<int64_t> ArgumentReader::OptionalInt(const char* name) {
  if (NextIsNone()) return {};
  return {true, Int(name)};
}

bool ArgumentReader::Bool(const char* name) { return Int(name) != 0; }

double ArgumentReader::Double(const char* name) { return Scalar(name).real; }

Optional<double> ArgumentReader::OptionalDouble(const char* name) {
  if (NextIsNone()) return {};
  return {true, Double(name)};
}

Number ArgumentReader::Scalar(const char* name) {
  const Value* value = Next(name);
  if (value == nullptr) return {};
  if (IsNumber(*value)) return NumberOf(*value);
  Expected(name, "a number", *value);
  return {};
}

Optional<Number> ArgumentReader::OptionalScalar(const char* name) {
  if (NextIsNone()) return {};
  return {true, Scalar(name)};
}

std::string_view ArgumentReader::OptionalText(const char* name) {
  if (NextIsNone()) return {};
  const Value* value = Next(name);
  if (value == nullptr) return {};
  if (value->is(ValueKind::kString)) return value->string_value();
  Expected(name, "a text", *value);
  return {};
}

IntList ArgumentReader::Ints(const char* name) {
  const Value* value = Next(name);
  if (value == nullptr) return {};
  if (!value->is(ValueKind::kIntList)) {
    Expected(name, "a list of integers", *value);
    return {};
  }
  for (const Value* item : value->list()) {
    if (item != nullptr && item->is(ValueKind::kInt)) continue;
    // Instructions may have left another number where an integer was.
    status_ =
        Status::Error(StatusCode::kInvalidFile, "list '%s' has an item that is no integer", name);
    return {};
  }
  return IntList(value->list());
}

Optional<IntList> ArgumentReader::OptionalInts(const char* name) {
  if (NextIsNone()) return {};
  return {true, Ints(name)};
}

Optional<Span<const double>> ArgumentReader::OptionalDoubles(const char* name) {
  if (NextIsNone()) return {};
  const Value* value = Next(name);
  if (value == nullptr) return {};
  if (value->is(ValueKind::kDoubleList)) return {true, value->double_list()};
  Expected(name, "a list of numbers", *value);
  return {};
}

Span<const bool> ArgumentReader::Bools(const char* name) {
  const Value* value = Next(name);
  if (value == nullptr) return {};
  if (value->is(ValueKind::kBoolList)) return value->bool_list();
  Expected(name, "a list of bools", *value);
  return {};
}

Value& ArgumentReader::Result(const char* name) {
  const Value* value = Next(name);
  if (value == nullptr) return placeholder_value;
  if (IsNumber(*value) || value->is(ValueKind::kNone)) return *values_[next_ - 1];
  // A tensor must stay one: lists were verified to have it.
  Expected(name, "room for a number", *value);
  return placeholder_value;
}

Status ResolveDimension(int64_t dimension, size_t rank, size_t* resolved) {
  const int64_t count = rank == 0 ? 1 : static_cast<int64_t>(rank);
  if (dimension < -count || dimension >= count) {
    return Status::Error(StatusCode::kInvalidArgument, "dimension %lld, from %lld to %lld expected",
                         static_cast<long long>(dimension), static_cast<long long>(-count),
                         static_cast<long long>(count - 1));
  }
  *resolved = static_cast<size_t>(dimension < 0 ? dimension + count : dimension);
  return Status::Ok();
}

Status Unfit(const char* what, const Tensor& a, const Tensor& b) {
  return Status::Error(StatusCode::kInvalidArgument, "%s: %s and %s", what,
                       LayoutText(a.layout()).c_str(), LayoutText(b.layout()).c_str());
}

bool SameSizes(Span<const int32_t> a, Span<const int32_t> b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

int64_t CountOf(Span<const int32_t> sizes) {
  int64_t count = 1;
  for (const int32_t size : sizes) count *= size;
  return count;
}

}  // namespace onepack::kernels
