// The least that an application does: one program over its data file.
//
//     small PROGRAM DATA

#include <onepack/onepack.h>

#include <cstdio>
#include <memory>
#include <vector>

using namespace onepack;  // NOLINT: a page of code

Result<float> FirstOutput(const char* program_path, const char* data_path) {
  XnnpackBackendOptions backend_options;
  backend_options.weight_cache = WeightCache::Create();
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Backend> backend, CreateXnnpackBackend(backend_options));
  ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> file, OpenMappedFile(program_path));
  ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> data, OpenMappedFile(data_path));
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Program> program, Program::Open(file));
  MethodOptions options;
  ONEPACK_ASSIGN_OR_RETURN(options.named_data, NamedDataMap::Open(data));
  options.backends = {&backend, 1};
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Method> method, Method::Load(program, "forward", options));
  const Tensor& input = method->input(0).tensor();
  std::vector<float> ones(input.size_bytes() / sizeof(float), 1.0f);
  ONEPACK_ASSIGN_OR_RETURN(
      Tensor x,
      Tensor::Over(input.layout(), {reinterpret_cast<uint8_t*>(ones.data()), input.size_bytes()}));
  ONEPACK_RETURN_IF_ERROR(method->SetInput(0, Value::OfTensor(&x)));
  ONEPACK_RETURN_IF_ERROR(method->Execute());
  return *reinterpret_cast<const float*>(method->output(0).tensor().data());
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  Result<float> y = FirstOutput(argv[1], argv[2]);
  std::printf("%s %g\n", y.ok() ? "" : y.status().message(), y.ok() ? *y : 0.0);
  return y.ok() ? 0 : 1;
}
