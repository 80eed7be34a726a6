// What a load and a call take without Python: compare.py runs this beside the same in Python.
//
//     native_calls LOADS CALLS PROGRAM [DATA]...
//
// Prints the microseconds of each load, from paths to a method that can run, and closed again, in
// one line; and those of one call, the mean of CALLS: inputs of zeros copied in, outputs copied
// out.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <chrono>
#include <vector>

#include "onepack/onepack.h"

namespace onepack {
namespace {

using Clock = std::chrono::steady_clock;

double MicrosecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

struct Files {
  const char* program;
  Span<char* const> data;
};

Result<Ref<Method>> Load(const Files& files, const std::shared_ptr<WeightCache>& cache,
                         const CpuOperators& operators) {
  XnnpackBackendOptions backend_options;
  backend_options.weight_cache = cache;
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Backend> backend, CreateXnnpackBackend(backend_options));
  std::vector<Ref<NamedDataMap>> maps;
  for (const char* path : files.data) {
    ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> source, OpenMappedFile(path));
    ONEPACK_ASSIGN_OR_RETURN(Ref<NamedDataMap> map, NamedDataMap::Open(source));
    maps.push_back(std::move(map));
  }
  MethodOptions options;
  ONEPACK_ASSIGN_OR_RETURN(options.named_data, NamedDataMap::Merge(maps));
  options.backends = {&backend, 1};
  options.operators = operators.registry();
  ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> source, OpenMappedFile(files.program));
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Program> program, Program::Open(source));
  return Method::Load(program, "forward", options);
}

Status MeasureLoads(size_t loads, const Files& files) {
  for (size_t i = 0; i < loads; ++i) {
    const Clock::time_point start = Clock::now();
    {
      ONEPACK_ASSIGN_OR_RETURN(const CpuOperators operators, CpuOperators::Create({}));
      ONEPACK_ASSIGN_OR_RETURN(const Ref<Method> method,
                               Load(files, WeightCache::Create(), operators));
    }
    printf("%.3f ", MicrosecondsSince(start));
  }
  printf("\n");
  return Status::Ok();
}

// Zeros as large as an input may be, in the one row that a decode step has.
struct Zeros {
  std::vector<int32_t> sizes;
  std::vector<uint8_t> bytes;
  Tensor tensor;

  Status Fit(const Tensor& input) {
    sizes.assign(input.bounds().begin(), input.bounds().end());
    if (input.is_dynamic()) sizes[0] = 1;
    const TensorLayout layout{input.scalar_type(), sizes, input.dim_order()};
    ONEPACK_ASSIGN_OR_RETURN(const size_t size, VerifiedSizeBytes(layout));
    bytes.assign(size, 0);
    ONEPACK_ASSIGN_OR_RETURN(tensor, Tensor::Over(layout, bytes));
    return Status::Ok();
  }
};

Status Call(Method& method, Zeros& zeros, uint8_t* copy) {
  ONEPACK_RETURN_IF_ERROR(method.SetInput(0, Value::OfTensor(&zeros.tensor)));
  ONEPACK_RETURN_IF_ERROR(method.Execute());
  const Tensor& output = method.output(0).tensor();
  memcpy(copy, output.data(), output.size_bytes());
  return Status::Ok();
}

Status MeasureCalls(size_t calls, const Files& files) {
  ONEPACK_ASSIGN_OR_RETURN(const CpuOperators operators, CpuOperators::Create({}));
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Method> method, Load(files, WeightCache::Create(), operators));
  if (method->input_count() != 1 || method->output_count() != 1) return Status::Ok();
  Zeros zeros;
  ONEPACK_RETURN_IF_ERROR(zeros.Fit(method->input(0).tensor()));
  std::vector<uint8_t> copy(method->output(0).tensor().size_bytes());
  for (size_t i = 0; i < calls / 10; ++i) {
    ONEPACK_RETURN_IF_ERROR(Call(*method, zeros, copy.data()));
  }
  const Clock::time_point start = Clock::now();
  for (size_t i = 0; i < calls; ++i) {
    ONEPACK_RETURN_IF_ERROR(Call(*method, zeros, copy.data()));
  }
  printf("%.3f\n", MicrosecondsSince(start) / static_cast<double>(calls));
  return Status::Ok();
}

}  // namespace
}  // namespace onepack

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const onepack::Files files{argv[3], {argv + 4, static_cast<size_t>(argc - 4)}};
  onepack::Status status = onepack::MeasureLoads(strtoul(argv[1], nullptr, 10), files);
  if (status.ok()) status = onepack::MeasureCalls(strtoul(argv[2], nullptr, 10), files);
  if (!status.ok()) fprintf(stderr, "%s\n", status.message());
  return status.ok() ? 0 : 1;
}
