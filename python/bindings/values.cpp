#include "python/bindings/values.h"

#include <nanobind/stl/string.h>

#include <utility>

#include "python/bindings/errors.h"
#include "python/bindings/text.h"

namespace nb = nanobind;

namespace onepack::python {
namespace {

[[noreturn]] void Refuse(nb::handle object, const char* wanted) {
  const nb::str name = nb::borrow<nb::str>(nb::handle(object.type()).attr("__name__"));
  throw nb::type_error((std::string(name.c_str()) + ", where " + wanted + " is expected").c_str());
}

int64_t IntOf(nb::handle object) {
  int64_t number = 0;
  const nb::object index = nb::steal(PyNumber_Index(object.ptr()));
  if (!index) {
    PyErr_Clear();
    Refuse(object, "an int");
  }
  if (!nb::try_cast(index, number, false)) {
    PyErr_Clear();
    throw StatusException(
        Status::Error(StatusCode::kInvalidArgument, "an int that 64 bits do not hold"));
  }
  return number;
}

double DoubleOf(nb::handle object) {
  const double number = PyFloat_AsDouble(object.ptr());
  if (number == -1.0 && PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    Refuse(object, "a float");
  }
  return number;
}

// bool, and NumPy's: anything else that is true is more likely a mistake.
bool BoolOf(nb::handle object) {
  const nb::str name = nb::borrow<nb::str>(nb::handle(object.type()).attr("__name__"));
  const std::string_view text = name.c_str();
  if (!PyBool_Check(object.ptr()) && text != "bool_" && text != "bool") Refuse(object, "a bool");
  return PyObject_IsTrue(object.ptr()) == 1;
}

// `tensor` makes an object of each tensor.
template <typename TensorToPython>
nb::object ToPython(const Value& value, const TensorToPython& tensor) {
  switch (value.kind()) {
    case ValueKind::kInt:
      return nb::int_(value.int_value());
    case ValueKind::kBool:
      return nb::bool_(value.bool_value());
    case ValueKind::kDouble:
      return nb::float_(value.double_value());
    case ValueKind::kString:
      return TextOf(value.string_value());
    case ValueKind::kTensor:
      return value.has_no_tensor() ? nb::none() : tensor(value.tensor());
    case ValueKind::kBoolList: {
      nb::list list;
      for (const bool item : value.bool_list()) list.append(nb::bool_(item));
      return list;
    }
    case ValueKind::kDoubleList: {
      nb::list list;
      for (const double item : value.double_list()) list.append(nb::float_(item));
      return list;
    }
    case ValueKind::kIntList:
    case ValueKind::kTensorList:
    case ValueKind::kOptionalTensorList: {
      nb::list list;
      for (const Value* item : value.list()) {
        list.append(item == nullptr ? nb::none() : ToPython(*item, tensor));
      }
      return list;
    }
    case ValueKind::kNone:
      break;
  }
  return nb::none();
}

bool HasItems(ValueKind kind) {
  return kind == ValueKind::kIntList || kind == ValueKind::kTensorList ||
         kind == ValueKind::kOptionalTensorList;
}

}  // namespace

Value Arguments::Add(nb::handle object, const Value& wanted) {
  switch (wanted.kind()) {
    case ValueKind::kTensor:
      return Value::OfTensor(&tensors_.emplace_back(object, wanted.tensor()).tensor());
    case ValueKind::kInt:
      return Value::OfInt(IntOf(object));
    case ValueKind::kBool:
      return Value::OfBool(BoolOf(object));
    case ValueKind::kDouble:
      return Value::OfDouble(DoubleOf(object));
    case ValueKind::kString:
      if (!PyUnicode_Check(object.ptr())) Refuse(object, "a str");
      return Value::OfString(strings_.emplace_back(nb::cast<std::string>(object)));
    case ValueKind::kNone:
      if (!object.is_none()) Refuse(object, "None");
      return Value();
    default:  // the exporter makes inputs of their items
      throw StatusException(Status::Error(StatusCode::kUnsupported,
                                          "a method with an input that is a list (%s)",
                                          ValueKindName(wanted.kind())));
  }
}

void OutputCopies::Add(const Value& output) {
  if (output.is(ValueKind::kTensor) && !output.has_no_tensor()) {
    tensors_.push_back(CopyBytesOf(output.tensor()));
  } else if (HasItems(output.kind())) {
    for (const Value* item : output.list()) {
      if (item != nullptr) Add(*item);
    }
  }
}

nb::object OutputCopies::Next(const Value& output) {
  return ToPython(output, [this](const Tensor& tensor) {
    OwnedBytes bytes = std::move(tensors_.front());
    tensors_.pop_front();
    return ArrayOf(tensor, std::move(bytes));
  });
}

nb::object ViewOf(const Value& output, nb::handle owner) {
  return ToPython(output, [owner](const Tensor& tensor) { return ViewOf(tensor, owner); });
}

}  // namespace onepack::python
