// What instructions read and write: a tensor, a number, a text, or a list of them.
//
// Ownership: small and copyable; tensors, texts and lists are views of what a method or the
//            application owns.

#ifndef ONEPACK_VALUE_H_
#define ONEPACK_VALUE_H_

#include <assert.h>
#include <stdint.h>

#include <string_view>

#include "onepack/export.h"
#include "onepack/span.h"
#include "onepack/tensor.h"

namespace onepack {

enum class ValueKind : uint8_t {
  kNone,
  kInt,
  kBool,
  kDouble,
  kString,
  kTensor,
  kIntList,  // items are Int values, because instructions may compute them
  kBoolList,
  kDoubleList,
  kTensorList,          // items are Tensor values
  kOptionalTensorList,  // items are Tensor values, null, or were None when loaded
};

ONEPACK_API const char* ValueKindName(ValueKind kind);

class Value {
 public:
  Value() = default;

  static Value OfInt(int64_t number) {
    Value value(ValueKind::kInt);
    value.int_ = number;
    return value;
  }
  static Value OfBool(bool truth) {
    Value value(ValueKind::kBool);
    value.bool_ = truth;
    return value;
  }
  static Value OfDouble(double number) {
    Value value(ValueKind::kDouble);
    value.double_ = number;
    return value;
  }
  static Value OfString(std::string_view text) {
    Value value(ValueKind::kString);
    value.data_ = text.data();
    value.size_ = text.size();
    return value;
  }
  static Value OfTensor(Tensor* tensor) {
    Value value(ValueKind::kTensor);
    value.tensor_ = tensor;
    return value;
  }
  static Value OfBoolList(Span<const bool> items) { return Value(ValueKind::kBoolList, items); }
  static Value OfDoubleList(Span<const double> items) {
    return Value(ValueKind::kDoubleList, items);
  }
  // `kind` is one of kIntList, kTensorList, kOptionalTensorList.
  static Value OfList(ValueKind kind, Span<Value* const> items) { return Value(kind, items); }

  ValueKind kind() const { return kind_; }
  bool is(ValueKind kind) const { return kind_ == kind; }

  // Each REQUIRES its kind.
  int64_t int_value() const {
    assert(is(ValueKind::kInt));
    return int_;
  }
  bool bool_value() const {
    assert(is(ValueKind::kBool));
    return bool_;
  }
  double double_value() const {
    assert(is(ValueKind::kDouble));
    return double_;
  }
  std::string_view string_value() const {
    assert(is(ValueKind::kString));
    return {static_cast<const char*>(data_), size_};
  }
  // Only an application can make such a value.
  bool has_no_tensor() const {
    assert(is(ValueKind::kTensor));
    return tensor_ == nullptr;
  }
  Tensor& tensor() const {
    assert(is(ValueKind::kTensor));
    return *tensor_;
  }
  Span<const bool> bool_list() const {
    assert(is(ValueKind::kBoolList));
    return {static_cast<const bool*>(data_), size_};
  }
  Span<const double> double_list() const {
    assert(is(ValueKind::kDoubleList));
    return {static_cast<const double*>(data_), size_};
  }
  Span<Value* const> list() const {
    assert(is(ValueKind::kIntList) || is(ValueKind::kTensorList) ||
           is(ValueKind::kOptionalTensorList));
    return {static_cast<Value* const*>(data_), size_};
  }

 private:
  explicit Value(ValueKind kind) : kind_(kind) {}
  template <typename T>
  Value(ValueKind kind, Span<T> items) : kind_(kind), data_(items.data()), size_(items.size()) {}

  ValueKind kind_ = ValueKind::kNone;
  union {
    int64_t int_ = 0;
    bool bool_;
    double double_;
    Tensor* tensor_;
    const void* data_;  // of a string or list
  };
  size_t size_ = 0;  // of a string or list
};

}  // namespace onepack

#endif  // ONEPACK_VALUE_H_
