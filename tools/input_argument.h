// What a user gives for the inputs of a method: "x.bin", "zeros", "int:5"; and sizes: "0=4x64".

#ifndef ONEPACK_TOOLS_INPUT_ARGUMENT_H_
#define ONEPACK_TOOLS_INPUT_ARGUMENT_H_

#include <stdint.h>

#include <memory>
#include <string>
#include <vector>

#include "base/mapping.h"
#include "onepack/result.h"
#include "onepack/value.h"

namespace onepack {

// A default-constructed argument asks for zeros, which fit numbers as well as tensors.
struct InputArgument {
  enum class Kind : uint8_t { kZeros, kFile, kInt, kBool, kDouble };
  Kind kind = Kind::kZeros;

  // The one of `kind` is set, the others are zero.
  std::string path;
  int64_t integer = 0;
  bool truth = false;
  double number = 0;
};

// "zeros", "int:5", "bool:true", "double:1.5", "file:PATH"; anything else is a path. Numbers as in
// parse_number.h.
Result<InputArgument> ParseInputArgument(const std::string& text);

// The sizes to use for a dynamic input.
struct ShapeArgument {
  size_t input = 0;
  std::vector<int32_t> sizes;
};

// "0=4x64"; "0=" is a tensor without dimensions.
Result<ShapeArgument> ParseShapeArgument(const std::string& text);

// A value and all it is a view of. Stays where it is, because the value points into it.
class InputValue {
 public:
  // As the method expects it. `sizes` null: the bounds of `expected`.
  static Result<std::unique_ptr<InputValue>> Create(const Value& expected,
                                                    const InputArgument& argument,
                                                    const std::vector<int32_t>* sizes);

  InputValue(const InputValue&) = delete;
  InputValue& operator=(const InputValue&) = delete;

  const Value& value() const { return value_; }

 private:
  InputValue() = default;

  Status SetTensor(const Tensor& expected, const InputArgument& argument,
                   const std::vector<int32_t>* sizes);
  Status SetNumber(ValueKind kind, const InputArgument& argument);

  // Zeros cost no memory until they are read, however large a program says that its input is.
  Mapping bytes_;
  std::vector<int32_t> sizes_;
  std::vector<uint8_t> dim_order_;
  Tensor tensor_;
  Value value_;
};

}  // namespace onepack

#endif  // ONEPACK_TOOLS_INPUT_ARGUMENT_H_
