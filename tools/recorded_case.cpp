#include "tools/recorded_case.h"

#include <assert.h>
#include <errno.h>
#include <math.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/checked_math.h"

namespace onepack {
namespace {

using Json = nlohmann::json;

// A field of the document, and where it stands: "calls[2].outputs[0].sizes".
class Field {
 public:
  Field(const Json& json, std::string where) : json_(json), where_(std::move(where)) {}

  const Json& json() const { return json_; }
  const char* where() const { return where_.c_str(); }
  bool Has(const char* name) const { return json_.is_object() && json_.contains(name); }

  Result<Field> Get(const char* name) const {
    const std::string where = where_.empty() ? name : where_ + "." + name;
    if (!Has(name)) {
      return Status::Error(StatusCode::kInvalidFile, "field %s is missing", where.c_str());
    }
    return Field(json_[name], where);
  }

  Result<std::vector<Field>> Items() const {
    if (!json_.is_array()) return Wrong("a list");
    std::vector<Field> items;
    for (size_t i = 0; i < json_.size(); ++i) {
      items.push_back(Field(json_[i], where_ + "[" + std::to_string(i) + "]"));
    }
    return items;
  }

  Result<std::string> Text() const {
    if (!json_.is_string() || json_.get_ref<const std::string&>().empty()) return Wrong("a text");
    return json_.get<std::string>();
  }

  // A whole number in [lowest, highest].
  Result<int64_t> Integer(int64_t lowest, int64_t highest) const {
    const bool is_huge =
        json_.is_number_unsigned() &&
        json_.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    if (!json_.is_number_integer() || is_huge) return Wrong("a whole number");
    const auto number = json_.get<int64_t>();
    if (number < lowest || number > highest) {
      const std::string range = std::to_string(lowest) + " to " + std::to_string(highest);
      return Wrong(("a number from " + range).c_str());
    }
    return number;
  }

  Result<double> Number() const {
    if (!json_.is_number()) return Wrong("a number");
    return json_.get<double>();
  }

  Status Wrong(const char* expected) const {
    std::string found = json_.dump(-1, ' ', true, Json::error_handler_t::replace);
    if (found.size() > 40) found = found.substr(0, 40) + "...";
    return Status::Error(StatusCode::kInvalidFile, "field %s is %s, %s expected", where_.c_str(),
                         found.c_str(), expected);
  }

 private:
  const Json& json_;
  const std::string where_;
};

Result<std::string> TextAt(const Field& parent, const char* name) {
  ONEPACK_ASSIGN_OR_RETURN(const Field field, parent.Get(name));
  return field.Text();
}

template <typename T>
Result<std::vector<T>> IntegersAt(const Field& parent, const char* name) {
  ONEPACK_ASSIGN_OR_RETURN(const Field field, parent.Get(name));
  ONEPACK_ASSIGN_OR_RETURN(const std::vector<Field> items, field.Items());
  std::vector<T> numbers;
  for (const Field& item : items) {
    ONEPACK_ASSIGN_OR_RETURN(const int64_t number, item.Integer(0, std::numeric_limits<T>::max()));
    numbers.push_back(static_cast<T>(number));
  }
  return numbers;
}

Result<size_t> SizeAt(const Field& parent, const char* name) {
  ONEPACK_ASSIGN_OR_RETURN(const Field field, parent.Get(name));
  ONEPACK_ASSIGN_OR_RETURN(const int64_t number,
                           field.Integer(0, std::numeric_limits<int64_t>::max()));
  return static_cast<size_t>(number);
}

Result<double> ToleranceAt(const Field& parent, const char* name) {
  ONEPACK_ASSIGN_OR_RETURN(const Field field, parent.Get(name));
  ONEPACK_ASSIGN_OR_RETURN(const double number, field.Number());
  if (!isfinite(number) || number < 0) return field.Wrong("0 or a positive number");
  return number;
}

Result<RecordedTensor> ReadTensor(const Field& field, size_t file_size) {
  RecordedTensor tensor;
  ONEPACK_ASSIGN_OR_RETURN(const Field type, field.Get("dtype"));
  ONEPACK_ASSIGN_OR_RETURN(const std::string type_name, type.Text());
  if (!ParseScalarType(type_name, &tensor.scalar_type)) return type.Wrong("an element type");
  ONEPACK_ASSIGN_OR_RETURN(tensor.sizes, IntegersAt<int32_t>(field, "sizes"));
  ONEPACK_ASSIGN_OR_RETURN(tensor.dim_order, IntegersAt<uint8_t>(field, "dim_order"));
  ONEPACK_ASSIGN_OR_RETURN(tensor.offset, SizeAt(field, "offset"));
  ONEPACK_ASSIGN_OR_RETURN(const Field size, field.Get("nbytes"));
  ONEPACK_ASSIGN_OR_RETURN(tensor.size_bytes, SizeAt(field, "nbytes"));
  auto needed = VerifiedSizeBytes(tensor.layout());
  if (!needed.ok()) return needed.TakeStatus().WithContext("field %s", field.where());
  if (*needed != tensor.size_bytes) {
    return size.Wrong((std::to_string(*needed) + " for its dtype and sizes").c_str());
  }
  if (InRange(tensor.offset, tensor.size_bytes, file_size)) return tensor;
  return Status::Error(StatusCode::kInvalidFile,
                       "field %s: %zu bytes at %zu, but the .bin file has %zu bytes", field.where(),
                       tensor.size_bytes, tensor.offset, file_size);
}

Result<RecordedValue> ReadValue(const Field& field, size_t file_size) {
  if (field.Has("dtype")) {
    ONEPACK_ASSIGN_OR_RETURN(RecordedTensor tensor, ReadTensor(field, file_size));
    return RecordedValue(std::move(tensor));
  }
  if (field.Has("int")) {
    ONEPACK_ASSIGN_OR_RETURN(const Field item, field.Get("int"));
    ONEPACK_ASSIGN_OR_RETURN(
        const int64_t number,
        item.Integer(std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()));
    return RecordedValue(number);
  }
  if (field.Has("bool")) {
    ONEPACK_ASSIGN_OR_RETURN(const Field item, field.Get("bool"));
    if (!item.json().is_boolean()) return item.Wrong("true or false");
    return RecordedValue(item.json().get<bool>());
  }
  if (field.Has("double")) {
    ONEPACK_ASSIGN_OR_RETURN(const Field item, field.Get("double"));
    ONEPACK_ASSIGN_OR_RETURN(const double number, item.Number());
    return RecordedValue(number);
  }
  return field.Wrong("a tensor (dtype, sizes, ...), int, bool or double");
}

Result<std::vector<RecordedValue>> ReadValues(const Field& call, const char* name,
                                              size_t file_size) {
  ONEPACK_ASSIGN_OR_RETURN(const Field field, call.Get(name));
  ONEPACK_ASSIGN_OR_RETURN(const std::vector<Field> items, field.Items());
  std::vector<RecordedValue> values;
  for (const Field& item : items) {
    ONEPACK_ASSIGN_OR_RETURN(RecordedValue value, ReadValue(item, file_size));
    values.push_back(std::move(value));
  }
  return values;
}

Status ReadCalls(const Field& document, RecordedCase& recorded) {
  ONEPACK_ASSIGN_OR_RETURN(const Field field, document.Get("calls"));
  ONEPACK_ASSIGN_OR_RETURN(const std::vector<Field> items, field.Items());
  // A case without calls would always pass.
  if (items.empty()) return field.Wrong("at least one call");
  for (const Field& item : items) {
    RecordedCall call;
    ONEPACK_ASSIGN_OR_RETURN(call.inputs, ReadValues(item, "inputs", recorded.tensors.size()));
    ONEPACK_ASSIGN_OR_RETURN(call.outputs, ReadValues(item, "outputs", recorded.tensors.size()));
    recorded.calls.push_back(std::move(call));
  }
  return Status::Ok();
}

Status ReadFiles(const Field& document, const std::filesystem::path& folder,
                 RecordedCase& recorded) {
  ONEPACK_ASSIGN_OR_RETURN(const std::string program, TextAt(document, "program"));
  recorded.program = (folder / program).string();
  ONEPACK_ASSIGN_OR_RETURN(const Field data, document.Get("data"));
  ONEPACK_ASSIGN_OR_RETURN(const std::vector<Field> items, data.Items());
  for (const Field& item : items) {
    ONEPACK_ASSIGN_OR_RETURN(const std::string name, item.Text());
    recorded.data.push_back((folder / name).string());
  }
  return Status::Ok();
}

Status ReadDocument(const Json& json, const std::filesystem::path& folder, RecordedCase& recorded) {
  const Field document(json, "");
  ONEPACK_ASSIGN_OR_RETURN(recorded.name, TextAt(document, "name"));
  ONEPACK_RETURN_IF_ERROR(ReadFiles(document, folder, recorded));
  ONEPACK_ASSIGN_OR_RETURN(recorded.method, TextAt(document, "method"));
  ONEPACK_ASSIGN_OR_RETURN(recorded.tolerance.atol, ToleranceAt(document, "atol"));
  ONEPACK_ASSIGN_OR_RETURN(recorded.tolerance.rtol, ToleranceAt(document, "rtol"));
  return ReadCalls(document, recorded);
}

Result<Json> ParseFile(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return Status::Error(StatusCode::kInvalidArgument, "a folder, a case's .json file expected");
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) return PosixError("cannot be opened", errno);
  Json json = Json::parse(file, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Status::Error(StatusCode::kInvalidFile, "not valid JSON");
  return json;
}

Result<RecordedCase> ReadFrom(const std::string& path) {
  ONEPACK_ASSIGN_OR_RETURN(const Json json, ParseFile(path));
  const std::filesystem::path json_path(path);
  RecordedCase recorded;
  const std::string tensors = std::filesystem::path(path).replace_extension(".bin").string();
  ONEPACK_ASSIGN_OR_RETURN(recorded.tensors, Mapping::OfFile(tensors.c_str()));
  ONEPACK_RETURN_IF_ERROR(ReadDocument(json, json_path.parent_path(), recorded));
  return recorded;
}

}  // namespace

Value RecordedCase::ToValue(const RecordedValue& value, Tensor* tensor) const {
  if (const auto* number = std::get_if<int64_t>(&value)) return Value::OfInt(*number);
  if (const auto* truth = std::get_if<bool>(&value)) return Value::OfBool(*truth);
  if (const auto* number = std::get_if<double>(&value)) return Value::OfDouble(*number);
  const RecordedTensor& recorded = *std::get_if<RecordedTensor>(&value);
  auto made =
      Tensor::Over(recorded.layout(), {tensors.data() + recorded.offset, recorded.size_bytes});
  assert(made.ok());  // verified by ReadTensor
  *tensor = std::move(made).value();
  return Value::OfTensor(tensor);
}

Result<RecordedCase> ReadRecordedCase(const std::string& path) {
  auto recorded = ReadFrom(path);
  if (!recorded.ok()) return recorded.TakeStatus().WithContext("%s", path.c_str());
  return recorded;
}

}  // namespace onepack
