#include "tools/print_outputs.h"

#include <stdio.h>

#include <algorithm>
#include <filesystem>

#include "aot/output_files.h"
#include "base/printable.h"
#include "tools/element.h"

namespace onepack {
namespace {

constexpr size_t kFirstValues = 8;
constexpr int kShortDigits = 6;
constexpr int kFullDigits = 9;  // tells any two float32 apart

void PrintTensor(const Tensor& tensor, bool full) {
  const size_t element_size = ElementSize(tensor.scalar_type());
  const size_t count = tensor.size_bytes() / element_size;
  const size_t shown = full ? count : std::min(count, kFirstValues);
  printf("%s:", LayoutText(tensor.layout()).c_str());
  for (size_t i = 0; i < shown; ++i) {
    printf(" %s", ElementText(tensor.data() + i * element_size, tensor.scalar_type(),
                              full ? kFullDigits : kShortDigits)
                      .c_str());
  }
  printf("%s\n", shown < count ? " ..." : "");
}

void PrintValue(const Value& value, bool full) {
  switch (value.kind()) {
    case ValueKind::kTensor:
      return PrintTensor(value.tensor(), full);
    case ValueKind::kInt:
      printf("int: %lld\n", static_cast<long long>(value.int_value()));
      return;
    case ValueKind::kBool:
      printf("bool: %s\n", value.bool_value() ? "true" : "false");
      return;
    case ValueKind::kDouble:
      printf("double: %.17g\n", value.double_value());
      return;
    case ValueKind::kString:
      printf("string: \"%s\"\n", Printable(value.string_value()).c_str());
      return;
    default:
      printf("%s\n", ValueKindName(value.kind()));
  }
}

}  // namespace

void PrintOutputs(const Method& method, bool full) {
  for (size_t i = 0; i < method.output_count(); ++i) {
    printf("output %zu  ", i);
    PrintValue(method.output(i), full);
  }
}

Status WriteOutputs(const Method& method, const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return PosixError(folder.c_str(), error.value());
  OutputFiles files(ExistingFile::kReplace);
  for (size_t i = 0; i < method.output_count(); ++i) {
    if (!method.output(i).is(ValueKind::kTensor)) continue;
    const Tensor& tensor = method.output(i).tensor();
    const std::string path =
        (std::filesystem::path(folder) / ("output" + std::to_string(i) + ".bin")).string();
    const auto write = [&](const Append& append) {
      return append({tensor.data(), tensor.size_bytes()});
    };
    ONEPACK_RETURN_IF_ERROR(files.Write(path, write, &ReadBackNothing));
  }
  return files.Commit();
}

}  // namespace onepack
