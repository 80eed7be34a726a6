#include "llm/model_info.h"

#include <string_view>

#include "llm/no_throw.h"
#include "runtime/method.h"

namespace onepack {
namespace {

bool HasMethod(const Program& program, std::string_view name) {
  for (size_t i = 0; i < program.method_count(); ++i) {
    if (program.method_name(i) == name) return true;
  }
  return false;
}

Status WrongKind(const Value& value, const char* expected) {
  return Status::Error(StatusCode::kUnsupported, "it gives %s, %s expected",
                       ValueKindName(value.kind()), expected);
}

// An int, or each int of a list.
Status AppendInts(const Value& value, std::vector<int64_t>* numbers) {
  if (value.is(ValueKind::kInt)) {
    numbers->push_back(value.int_value());
    return Status::Ok();
  }
  if (!value.is(ValueKind::kIntList)) return WrongKind(value, "int");
  for (const Value* item : value.list()) {
    if (item == nullptr) return WrongKind(Value(), "int");
    ONEPACK_RETURN_IF_ERROR(AppendInts(*item, numbers));
  }
  return Status::Ok();
}

class InfoReader {
 public:
  explicit InfoReader(const Ref<Program>& program) : program_(program) {}

  Status Read(const char* name, int64_t* number) const {
    std::vector<int64_t> numbers;
    ONEPACK_RETURN_IF_ERROR(Read(name, &numbers));
    if (!numbers.empty()) *number = numbers.front();
    return Status::Ok();
  }

  Status Read(const char* name, bool* truth) const {
    return ForEachOutput(name, [&](const Value& value) {
      if (!value.is(ValueKind::kBool)) return WrongKind(value, "bool");
      *truth = value.bool_value();
      return Status::Ok();
    });
  }

  Status Read(const char* name, std::vector<int64_t>* numbers) const {
    return ForEachOutput(name, [&](const Value& value) { return AppendInts(value, numbers); });
  }

 private:
  template <typename Take>
  Status ForEachOutput(const char* name, Take take) const {
    if (!HasMethod(*program_, name)) return Status::Ok();
    ONEPACK_ASSIGN_OR_RETURN(const Ref<Method> method, Method::Load(program_, name, {}));
    ONEPACK_RETURN_IF_ERROR(method->Execute());
    for (size_t i = 0; i < method->output_count(); ++i) {
      Status status = take(method->output(i));
      if (!status.ok()) {
        return std::move(status).WithContext("%s: method '%s'", program_->name(), name);
      }
    }
    return Status::Ok();
  }

  const Ref<Program>& program_;
};

}  // namespace

Result<ModelInfo> ReadModelInfo(const Ref<Program>& program) {
  return NoThrow([&]() -> Result<ModelInfo> {
    const InfoReader reader(program);
    ModelInfo info;
    ONEPACK_RETURN_IF_ERROR(reader.Read("get_max_seq_len", &info.max_seq_len));
    ONEPACK_RETURN_IF_ERROR(reader.Read("get_max_context_len", &info.max_context_len));
    ONEPACK_RETURN_IF_ERROR(reader.Read("get_vocab_size", &info.vocab_size));
    ONEPACK_RETURN_IF_ERROR(reader.Read("get_bos_id", &info.bos_id));
    ONEPACK_RETURN_IF_ERROR(reader.Read("get_eos_ids", &info.eos_ids));
    ONEPACK_RETURN_IF_ERROR(reader.Read("use_kv_cache", &info.use_kv_cache));
    return info;
  });
}

}  // namespace onepack
