// What a load and a call take without Python: compare.py has both in one process, in turns.

#include <stdio.h>
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
  Span<const char* const> data;
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

// Of paths to a method that can run, and closed again.
Result<double> MeasureLoad(const Files& files) {
  const Clock::time_point start = Clock::now();
  {
    ONEPACK_ASSIGN_OR_RETURN(const CpuOperators operators, CpuOperators::Create({}));
    ONEPACK_ASSIGN_OR_RETURN(const Ref<Method> method,
                             Load(files, WeightCache::Create(), operators));
  }
  return MicrosecondsSince(start);
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

// Of one, the mean of `calls`: inputs of zeros copied in, outputs copied out.
Result<double> MeasureCalls(const Files& files, size_t calls) {
  ONEPACK_ASSIGN_OR_RETURN(const CpuOperators operators, CpuOperators::Create({}));
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Method> method, Load(files, WeightCache::Create(), operators));
  Zeros zeros;
  ONEPACK_RETURN_IF_ERROR(zeros.Fit(method->input(0).tensor()));
  std::vector<uint8_t> copy(method->output(0).tensor().size_bytes());
  ONEPACK_RETURN_IF_ERROR(Call(*method, zeros, copy.data()));
  const Clock::time_point start = Clock::now();
  for (size_t i = 0; i < calls; ++i) {
    ONEPACK_RETURN_IF_ERROR(Call(*method, zeros, copy.data()));
  }
  return MicrosecondsSince(start) / static_cast<double>(calls);
}

// -1 and a line on standard error for a failure.
double Report(Result<double> microseconds) {
  if (microseconds.ok()) return *microseconds;
  fprintf(stderr, "%s\n", microseconds.status().message());
  return -1;
}

}  // namespace
}  // namespace onepack

extern "C" {

// Microseconds.
double onepack_native_load(const char* program, const char* const* data, size_t data_count) {
  return onepack::Report(onepack::MeasureLoad({program, {data, data_count}}));
}

double onepack_native_call(const char* program, const char* const* data, size_t data_count,
                           size_t calls) {
  return onepack::Report(onepack::MeasureCalls({program, {data, data_count}}, calls));
}

}  // extern "C"
