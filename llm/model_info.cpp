#include "onepack/model_info.h"

#include <string.h>

#include <initializer_list>
#include <string_view>
#include <utility>

#include "llm/has_method.h"
#include "llm/no_throw.h"
#include "onepack/method.h"

namespace onepack {
namespace {

using Numbers = std::vector<int64_t>;

// No model has so many; a small file could give more than memory holds.
constexpr size_t kMostNumbers = 65536;

Status Append(int64_t number, Numbers* numbers) {
  if (numbers->size() >= kMostNumbers) {
    return Status::Error(StatusCode::kUnsupported, "it gives more than %zu numbers", kMostNumbers);
  }
  numbers->push_back(number);
  return Status::Ok();
}

Status NoNumbers(const char* found) {
  return Status::Error(StatusCode::kUnsupported, "it gives %s, numbers expected", found);
}

Status AppendDouble(double number, Numbers* numbers) {
  constexpr double kLimit = 0x1p63;
  const bool fits = number >= -kLimit && number < kLimit;
  if (!fits || static_cast<double>(static_cast<int64_t>(number)) != number) {
    return Status::Error(StatusCode::kUnsupported, "it gives %g, whole numbers expected", number);
  }
  return Append(static_cast<int64_t>(number), numbers);
}

template <typename T>
Status AppendElements(const Tensor& tensor, Numbers* numbers) {
  for (size_t offset = 0; offset < tensor.size_bytes(); offset += sizeof(T)) {
    T element;
    memcpy(&element, tensor.data() + offset, sizeof(element));
    ONEPACK_RETURN_IF_ERROR(Append(static_cast<int64_t>(element), numbers));
  }
  return Status::Ok();
}

Status AppendTensor(const Tensor& tensor, Numbers* numbers) {
  switch (tensor.scalar_type()) {
    case ScalarType::kByte:
    case ScalarType::kBool:
      return AppendElements<uint8_t>(tensor, numbers);
    case ScalarType::kChar:
      return AppendElements<int8_t>(tensor, numbers);
    case ScalarType::kShort:
      return AppendElements<int16_t>(tensor, numbers);
    case ScalarType::kInt:
      return AppendElements<int32_t>(tensor, numbers);
    case ScalarType::kLong:
      return AppendElements<int64_t>(tensor, numbers);
    default:
      return NoNumbers(LayoutText(tensor.layout()).c_str());
  }
}

// All numbers of a value, whatever holds them. None are those of None.
Status AppendNumbers(const Value& value, Numbers* numbers) {
  switch (value.kind()) {
    case ValueKind::kNone:
      return Status::Ok();
    case ValueKind::kInt:
      return Append(value.int_value(), numbers);
    case ValueKind::kBool:
      return Append(value.bool_value() ? 1 : 0, numbers);
    case ValueKind::kDouble:
      return AppendDouble(value.double_value(), numbers);
    case ValueKind::kTensor:
      return AppendTensor(value.tensor(), numbers);
    case ValueKind::kBoolList:
      for (const bool item : value.bool_list()) {
        ONEPACK_RETURN_IF_ERROR(Append(item ? 1 : 0, numbers));
      }
      return Status::Ok();
    case ValueKind::kDoubleList:
      for (const double item : value.double_list()) {
        ONEPACK_RETURN_IF_ERROR(AppendDouble(item, numbers));
      }
      return Status::Ok();
    case ValueKind::kIntList:
    case ValueKind::kTensorList:
    case ValueKind::kOptionalTensorList:
      for (const Value* item : value.list()) {
        if (item != nullptr) ONEPACK_RETURN_IF_ERROR(AppendNumbers(*item, numbers));
      }
      return Status::Ok();
    case ValueKind::kString:
      break;
  }
  return NoNumbers(ValueKindName(value.kind()));
}

Result<Numbers> RunMethod(const Ref<Program>& program, const char* name) {
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Method> method, Method::Load(program, name, {}));
  ONEPACK_RETURN_IF_ERROR(method->Execute());
  Numbers numbers;
  for (size_t i = 0; i < method->output_count(); ++i) {
    Status status = AppendNumbers(method->output(i), &numbers);
    if (!status.ok()) return std::move(status).WithContext("method '%s'", name);
  }
  return numbers;
}

class InfoReader {
 public:
  InfoReader(const Ref<Program>& program, ModelInfo* info) : program_(program), info_(info) {}

  // Of all methods that have one of these names.
  Result<Numbers> Read(std::initializer_list<const char*> names) const {
    Numbers all;
    for (const char* name : names) {
      if (!HasMethod(*program_, name)) continue;
      auto numbers = RunMethod(program_, name);
      if (numbers.ok()) {
        all.insert(all.end(), numbers->begin(), numbers->end());
      } else if (numbers.status().code() == StatusCode::kResourceExhausted) {
        return numbers.TakeStatus();
      } else {
        info_->ignored.emplace_back(numbers.status().message());
      }
    }
    return all;
  }

  // The first of them.
  template <typename T>
  Status ReadOne(std::initializer_list<const char*> names, T* number) const {
    ONEPACK_ASSIGN_OR_RETURN(const Numbers numbers, Read(names));
    if (!numbers.empty()) *number = static_cast<T>(numbers.front());
    return Status::Ok();
  }

 private:
  const Ref<Program>& program_;
  ModelInfo* const info_;
};

}  // namespace

Result<ModelInfo> ReadModelInfo(const Ref<Program>& program) {
  return NoThrow([&]() -> Result<ModelInfo> {
    ModelInfo info;
    const InfoReader reader(program, &info);
    ONEPACK_RETURN_IF_ERROR(reader.ReadOne({"get_max_seq_len"}, &info.max_seq_len));
    ONEPACK_RETURN_IF_ERROR(reader.ReadOne({"get_max_context_len"}, &info.max_context_len));
    ONEPACK_RETURN_IF_ERROR(reader.ReadOne({"get_vocab_size"}, &info.vocab_size));
    ONEPACK_RETURN_IF_ERROR(reader.ReadOne({"get_bos_id"}, &info.bos_id));
    ONEPACK_ASSIGN_OR_RETURN(info.eos_ids, reader.Read({"get_eos_ids", "get_eos_id"}));
    ONEPACK_RETURN_IF_ERROR(
        reader.ReadOne({"use_kv_cache", "get_use_kv_cache"}, &info.use_kv_cache));
    return info;
  });
}

}  // namespace onepack
