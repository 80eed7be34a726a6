// Two LoRA programs over one foundation: the second takes its adapter and nothing else, packed or
// in place.
//
//     share_foundation FOLDER
//
// FOLDER holds foundation.ptd, lora0.pte, lora0.ptd, lora1.pte and lora1.ptd, as
// tests/data/cases/lora_fp32 does.

#include <errno.h>
#include <stdio.h>

#include <memory>
#include <string>
#include <vector>

#include "onepack/method.h"
#include "onepack/xnnpack_backend.h"

namespace onepack {
namespace {

Result<Ref<NamedDataMap>> OpenData(const std::string& path) {
  ONEPACK_ASSIGN_OR_RETURN(Ref<DataSource> file, OpenMappedFile(path.c_str()));
  return NamedDataMap::Open(file);
}

Result<Ref<Method>> LoadForward(const std::string& stem, const Ref<NamedDataMap>& foundation,
                                const Ref<Backend>& backend) {
  ONEPACK_ASSIGN_OR_RETURN(Ref<DataSource> file, OpenMappedFile((stem + ".pte").c_str()));
  ONEPACK_ASSIGN_OR_RETURN(Ref<Program> program, Program::Open(file));
  ONEPACK_ASSIGN_OR_RETURN(Ref<NamedDataMap> adapter, OpenData(stem + ".ptd"));
  const Ref<NamedDataMap> maps[] = {foundation, adapter};
  MethodOptions options;
  ONEPACK_ASSIGN_OR_RETURN(options.named_data, NamedDataMap::Merge(maps));
  options.backends = {&backend, 1};
  return Method::Load(program, "forward", options);
}

// One row of ones, whatever the upper bound of the rows.
Status RunOnce(Method& method) {
  int32_t sizes[] = {1, method.input(0).tensor().bounds()[1]};
  const uint8_t dim_order[] = {0, 1};
  std::vector<float> ones(static_cast<size_t>(sizes[1]), 1.0f);
  ONEPACK_ASSIGN_OR_RETURN(Tensor x, Tensor::Over({ScalarType::kFloat, sizes, dim_order},
                                                  {reinterpret_cast<uint8_t*>(ones.data()),
                                                   ones.size() * sizeof(float)}));
  ONEPACK_RETURN_IF_ERROR(method.SetInput(0, Value::OfTensor(&x)));
  ONEPACK_RETURN_IF_ERROR(method.Execute());
  const auto* y = reinterpret_cast<const float*>(method.output(0).tensor().data());
  printf("  y = %.6f, %.6f, ...\n", static_cast<double>(y[0]), static_cast<double>(y[1]));
  return Status::Ok();
}

Status Run(const std::string& folder) {
  const std::shared_ptr<WeightCache> cache = WeightCache::Create();
  XnnpackBackendOptions backend_options;
  backend_options.weight_cache = cache;
  ONEPACK_ASSIGN_OR_RETURN(Ref<Backend> backend, CreateXnnpackBackend(backend_options));
  ONEPACK_ASSIGN_OR_RETURN(Ref<NamedDataMap> foundation, OpenData(folder + "/foundation.ptd"));

  std::vector<Ref<Method>> loaded;  // a packed weight lives as long as a method that uses it
  for (const char* name : {"lora0", "lora1"}) {
    const WeightCacheStats before = cache->Stats();
    ONEPACK_ASSIGN_OR_RETURN(Ref<Method> method,
                             LoadForward(folder + "/" + name, foundation, backend));
    const WeightCacheStats after = cache->Stats();
    printf("%s: packed %llu bytes, took %llu bytes in place, found %llu bytes there already\n",
           name, static_cast<unsigned long long>(after.packed_bytes - before.packed_bytes),
           static_cast<unsigned long long>(after.in_place_bytes - before.in_place_bytes),
           static_cast<unsigned long long>(after.hit_bytes - before.hit_bytes));
    ONEPACK_RETURN_IF_ERROR(RunOnce(*method));
    loaded.push_back(std::move(method));
  }
  return Status::Ok();
}

}  // namespace
}  // namespace onepack

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: share_foundation FOLDER\n");
    return 2;
  }
  onepack::Status status = onepack::Run(argv[1]);
  // What was printed may not have got anywhere.
  if (status.ok() && fclose(stdout) != 0) status = onepack::PosixError("standard output", errno);
  if (status.ok()) return 0;
  fprintf(stderr, "share_foundation: %s\n", status.message());
  return 1;
}
