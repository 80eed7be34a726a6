// consumer PROGRAM.pte DATA.ptd: runs "forward" on ones and prints the first number that comes out,
// and whose backend it was.

#include <dlfcn.h>
#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>

#include <cstdio>
#include <vector>

using executorch::extension::Module;

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  Module module(argv[1], argv[2]);
  const auto meta = module.method_meta("forward");
  if (!meta.ok()) return 1;
  const auto input = meta->input_tensor_meta(0);
  if (!input.ok()) return 1;
  const int columns = input->sizes()[1];
  const auto ones = executorch::extension::make_tensor_ptr(
      {1, columns}, std::vector<float>(static_cast<size_t>(columns), 1.0f));
  const auto outputs = module.forward(ones);
  if (!outputs.ok()) return 1;
  const bool is_onepack = dlsym(RTLD_DEFAULT, "onepack_executorch_is_registered") != nullptr;
  std::printf("%s %.6g\n", is_onepack ? "onepack" : "executorch",
              static_cast<double>(outputs->at(0).toTensor().const_data_ptr<float>()[0]));
  return 0;
}
