#include "tools/input_argument.h"

#include <errno.h>
#include <stdint.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tools/format.h"
#include "tools/parse_number.h"

namespace onepack {
namespace {

Result<InputArgument> ParseScalar(const std::string& kind, const std::string& text) {
  InputArgument argument;
  if (kind == "int") {
    argument.kind = InputArgument::Kind::kInt;
    ONEPACK_ASSIGN_OR_RETURN(argument.integer, ParseWhole(text, INT64_MIN, INT64_MAX));
  } else if (kind == "bool") {
    argument.kind = InputArgument::Kind::kBool;
    argument.truth = text == "true";
    if (text == "true" || text == "false") return argument;
    return Status::Error(StatusCode::kInvalidArgument, "'%s': true or false expected",
                         text.c_str());
  } else {
    argument.kind = InputArgument::Kind::kDouble;
    ONEPACK_ASSIGN_OR_RETURN(argument.number, ParseAnyReal(text));
  }
  return argument;
}

std::string Describe(const InputArgument& argument) {
  switch (argument.kind) {
    case InputArgument::Kind::kZeros:
      return "zeros";
    case InputArgument::Kind::kFile:
      return "a file";
    case InputArgument::Kind::kInt:
      return "int";
    case InputArgument::Kind::kBool:
      return "bool";
    case InputArgument::Kind::kDouble:
      return "double";
  }
  return "nothing";
}

Status ReadFile(const std::string& path, const TensorLayout& layout, const Mapping& bytes) {
  std::error_code error;
  const uintmax_t size = std::filesystem::file_size(path, error);
  if (error) return PosixError(path.c_str(), error.value());
  if (size != bytes.size()) {
    return Status::Error(StatusCode::kInvalidArgument,
                         "%s has %llu bytes, %s takes %zu (--shape sets sizes of a dynamic input)",
                         path.c_str(), static_cast<unsigned long long>(size),
                         LayoutText(layout).c_str(), bytes.size());
  }
  std::ifstream file(path, std::ios::binary);
  if (file) {
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  if (!file) return PosixError(path.c_str(), errno);
  return Status::Ok();
}

}  // namespace

Result<InputArgument> ParseInputArgument(const std::string& text) {
  InputArgument argument;
  if (text == "zeros") return argument;
  const size_t colon = text.find(':');
  const std::string kind = colon == std::string::npos ? "" : text.substr(0, colon);
  const std::string rest = colon == std::string::npos ? "" : text.substr(colon + 1);
  if (kind == "int" || kind == "bool" || kind == "double") {
    auto scalar = ParseScalar(kind, rest);
    if (!scalar.ok()) return scalar.TakeStatus().WithContext("%s", text.c_str());
    return scalar;
  }
  argument.kind = InputArgument::Kind::kFile;
  argument.path = kind == "file" ? rest : text;
  if (!argument.path.empty()) return argument;
  return Status::Error(StatusCode::kInvalidArgument, "'%s': a path expected", text.c_str());
}

namespace {

Result<ShapeArgument> ParseShape(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) {
    return Status::Error(StatusCode::kInvalidArgument,
                         "an input and its sizes expected, as in 0=4x64");
  }
  ShapeArgument shape;
  ONEPACK_ASSIGN_OR_RETURN(shape.input,
                           ParseWhole(text.substr(0, equals), size_t{0}, size_t{INT32_MAX}));
  for (size_t start = equals + 1; start < text.size() || text.back() == 'x';) {
    const size_t end = std::min(text.find('x', start), text.size());
    ONEPACK_ASSIGN_OR_RETURN(const int32_t size,
                             ParseWhole(text.substr(start, end - start), 0, INT32_MAX));
    shape.sizes.push_back(size);
    start = end + 1;
  }
  return shape;
}

}  // namespace

Result<ShapeArgument> ParseShapeArgument(const std::string& text) {
  auto shape = ParseShape(text);
  if (!shape.ok()) return shape.TakeStatus().WithContext("%s", text.c_str());
  return shape;
}

Status InputValue::SetTensor(const Tensor& expected, const InputArgument& argument,
                             const std::vector<int32_t>* sizes) {
  const Span<const int32_t> bounds = expected.bounds();
  sizes_ = sizes != nullptr ? *sizes : std::vector<int32_t>(bounds.begin(), bounds.end());
  dim_order_.assign(expected.dim_order().begin(), expected.dim_order().end());
  if (sizes_.size() != bounds.size()) {
    return Status::Error(StatusCode::kInvalidArgument, "sizes %s given, %s expected",
                         FormatSizes(sizes_).c_str(),
                         LayoutText({expected.scalar_type(), bounds, dim_order_}).c_str());
  }
  const TensorLayout layout{expected.scalar_type(), sizes_, dim_order_};
  ONEPACK_ASSIGN_OR_RETURN(const size_t size_bytes, VerifiedSizeBytes(layout));
  ONEPACK_ASSIGN_OR_RETURN(bytes_, Mapping::OfZeros(size_bytes));
  if (argument.kind == InputArgument::Kind::kFile) {
    ONEPACK_RETURN_IF_ERROR(ReadFile(argument.path, layout, bytes_));
  } else if (argument.kind != InputArgument::Kind::kZeros) {
    return Status::Error(StatusCode::kInvalidArgument, "%s given, %s expected",
                         Describe(argument).c_str(), LayoutText(layout).c_str());
  }
  ONEPACK_ASSIGN_OR_RETURN(tensor_, Tensor::Over(layout, {bytes_.data(), bytes_.size()}));
  value_ = Value::OfTensor(&tensor_);
  return Status::Ok();
}

Status InputValue::SetNumber(ValueKind kind, const InputArgument& argument) {
  const auto fits = [&](InputArgument::Kind wanted) {
    return argument.kind == wanted || argument.kind == InputArgument::Kind::kZeros;
  };
  if (kind == ValueKind::kInt && fits(InputArgument::Kind::kInt)) {
    value_ = Value::OfInt(argument.integer);
  } else if (kind == ValueKind::kBool && fits(InputArgument::Kind::kBool)) {
    value_ = Value::OfBool(argument.truth);
  } else if (kind == ValueKind::kDouble && fits(InputArgument::Kind::kDouble)) {
    value_ = Value::OfDouble(argument.number);
  } else {
    return Status::Error(StatusCode::kInvalidArgument, "%s given, %s expected",
                         Describe(argument).c_str(), ValueKindName(kind));
  }
  return Status::Ok();
}

Result<std::unique_ptr<InputValue>> InputValue::Create(const Value& expected,
                                                       const InputArgument& argument,
                                                       const std::vector<int32_t>* sizes) {
  std::unique_ptr<InputValue> input(new InputValue);
  switch (expected.kind()) {
    case ValueKind::kTensor:
      ONEPACK_RETURN_IF_ERROR(input->SetTensor(expected.tensor(), argument, sizes));
      break;
    case ValueKind::kInt:
    case ValueKind::kBool:
    case ValueKind::kDouble:
      ONEPACK_RETURN_IF_ERROR(input->SetNumber(expected.kind(), argument));
      break;
    case ValueKind::kNone:
      break;
    default:
      return Status::Error(StatusCode::kUnsupported, "a %s cannot be given on the command line",
                           ValueKindName(expected.kind()));
  }
  return input;
}

}  // namespace onepack
