// An application outside this project: uses every public library once, by the installed package
// alone.
//
//     consumer FOLDER        with one.pte and one.ptd in it

#include <stdio.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "onepack/cpu_operators.h"
#include "onepack/method.h"
#include "onepack/weight_cache.h"
#include "onepack/xnnpack_backend.h"

namespace {

using onepack::Ref;
using onepack::Result;
using onepack::Status;

using FileBytes = std::vector<uint8_t>;

int Fail(const char* what, const char* message) {
  fprintf(stderr, "consumer: %s: %s\n", what, message);
  return 1;
}

// Users derive, and build with run-time type information.
class OwnSource final : public onepack::DataSource {
 public:
  OwnSource(FileBytes bytes, std::string name) : bytes_(std::move(bytes)), name_(std::move(name)) {}

  const char* name() const override { return name_.c_str(); }
  uint64_t size() const override { return bytes_.size(); }
  Result<onepack::Buffer> Load(const onepack::Segment& range) const override {
    ONEPACK_RETURN_IF_ERROR(CheckRange(range));
    onepack::Buffer buffer;
    buffer.bytes = onepack::Bytes(bytes_).subspan(range.offset, range.size);
    buffer.owner = Ref<const onepack::RefCounted>::Share(this);
    return buffer;
  }

 private:
  const FileBytes bytes_;
  const std::string name_;
};

Result<Ref<onepack::DataSource>> Own(FileBytes bytes, const char* name) {
  ONEPACK_ASSIGN_OR_RETURN(
      Ref<OwnSource> source,
      onepack::MakeRef<OwnSource>(onepack::HeapAllocator(), std::move(bytes), std::string(name)));
  return Ref<onepack::DataSource>(source);
}

FileBytes ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Result<Ref<onepack::NamedDataMap>> OpenData(FileBytes bytes) {
  ONEPACK_ASSIGN_OR_RETURN(const Ref<onepack::DataSource> source, Own(std::move(bytes), "own.ptd"));
  return onepack::NamedDataMap::Open(source);
}

Result<Ref<onepack::Method>> Load(FileBytes program_bytes, Ref<onepack::NamedDataMap> data,
                                  const Ref<onepack::Backend>& backend) {
  ONEPACK_ASSIGN_OR_RETURN(const Ref<onepack::DataSource> source,
                           Own(std::move(program_bytes), "own.pte"));
  ONEPACK_ASSIGN_OR_RETURN(const Ref<onepack::Program> program, onepack::Program::Open(source));
  onepack::MethodOptions options;
  options.named_data = std::move(data);
  options.backends = {&backend, 1};
  return onepack::Method::Load(program, "forward", options);
}

// The output for inputs of which none is 0.
Result<std::vector<float>> Run(onepack::Method& method) {
  const onepack::Tensor& shape = method.input(0).tensor();
  std::vector<float> numbers(shape.size_bytes() / sizeof(float));
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = 1.0f + static_cast<float>(i % 7);
  ONEPACK_ASSIGN_OR_RETURN(
      onepack::Tensor input,
      onepack::Tensor::Over(shape.layout(),
                            {reinterpret_cast<uint8_t*>(numbers.data()), shape.size_bytes()}));
  ONEPACK_RETURN_IF_ERROR(method.SetInput(0, onepack::Value::OfTensor(&input)));
  ONEPACK_RETURN_IF_ERROR(method.Execute());
  const onepack::Tensor& output = method.output(0).tensor();
  const auto* first = reinterpret_cast<const float*>(output.data());
  return std::vector<float>(first, first + output.size_bytes() / sizeof(float));
}

// The same with other weights in the same places.
FileBytes Altered(FileBytes data, const onepack::NamedDataMap& map) {
  for (const onepack::NamedData& entry : map.entries()) {
    for (uint64_t i = 0; entry.segment.size > 1024 && i < entry.segment.size; ++i) {
      data[entry.segment.offset + i] ^= 0x33;
    }
  }
  return data;
}

// Two programs from sources that say nothing about who they are get each its own weights.
Status UseOwnSources(const std::string& folder, const Ref<onepack::Backend>& backend) {
  const auto wrong = [](const char* what) {
    return Status::Error(onepack::StatusCode::kInternal, "%s", what);
  };
  const FileBytes program = ReadFile(folder + "/one.pte");
  const FileBytes data = ReadFile(folder + "/one.ptd");
  ONEPACK_ASSIGN_OR_RETURN(const Ref<onepack::NamedDataMap> map, OpenData(data));
  ONEPACK_ASSIGN_OR_RETURN(const Ref<onepack::NamedDataMap> other, OpenData(Altered(data, *map)));
  const Ref<onepack::NamedDataMap> maps[] = {map, other};
  if (onepack::NamedDataMap::Merge(maps).ok()) return wrong("data that contradict were merged");
  ONEPACK_ASSIGN_OR_RETURN(const Ref<onepack::Method> first, Load(program, map, backend));
  ONEPACK_ASSIGN_OR_RETURN(const std::vector<float> expected, Run(*first));
  ONEPACK_ASSIGN_OR_RETURN(const Ref<onepack::Method> second, Load(program, other, backend));
  ONEPACK_ASSIGN_OR_RETURN(const std::vector<float> of_second, Run(*second));
  ONEPACK_ASSIGN_OR_RETURN(const std::vector<float> again, Run(*first));
  if (of_second == expected) return wrong("the second program was served the first one's weights");
  return again == expected ? Status::Ok() : wrong("the first program's weights have changed");
}

int Run(const std::string& folder) {
  onepack::XnnpackBackendOptions options;
  options.weight_cache = onepack::WeightCache::Create();
  auto backend = onepack::CreateXnnpackBackend(options);
  if (!backend.ok()) return Fail("creating a backend", backend.status().message());
  const auto operators = onepack::CpuOperators::Create({});
  if (!operators.ok()) return Fail("creating operators", operators.status().message());
  if (options.weight_cache->Stats().entries != 0) return Fail("cache", "a new one is not empty");

  auto missing = onepack::OpenMappedFile("there is no such file.ptd");
  if (missing.ok()) return Fail("a missing file", "was opened");
  if (missing.status().code() != onepack::StatusCode::kNotFound) {
    return Fail("a missing file", missing.status().message());
  }

  const Status own = UseOwnSources(folder, *backend);
  if (!own.ok()) return Fail("sources of our own", own.message());

  const uint8_t not_a_program[64] = {};
  auto source = onepack::WrapMemory(not_a_program, "zeros");
  if (!source.ok()) return Fail("wrapping memory", source.status().message());
  auto program = onepack::Program::Open(*source);
  if (program.ok()) return Fail("zeros", "were taken for a program");
  printf("%s backend; %s\n", (*backend)->name(), program.status().message());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return argc == 2 ? Run(argv[1]) : Fail("usage", "consumer FOLDER");
}
