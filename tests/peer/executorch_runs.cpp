// Runs recorded cases in ExecuTorch itself: what it answers to the files that we write.
//
//     executorch_runs CASE.json ...             makes the recorded calls and compares
//     executorch_runs --load PROGRAM [DATA...]  loads the method "forward"
//
// No code of ours: both bring an XNNPACK, and one process holds only one of them.

#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>
#include <executorch/runtime/kernel/kernel_runtime_context.h>
#include <executorch/runtime/kernel/operator_registry.h>
#include <executorch/runtime/platform/runtime.h>
#include <math.h>
#include <stdio.h>

#include <exception>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using executorch::extension::Module;
using executorch::runtime::Error;
using executorch::runtime::EValue;
using Json = nlohmann::json;

void Check(Error error, const std::string& what) {
  if (error == Error::Ok) return;
  throw std::runtime_error(what + ": ExecuTorch error " + std::to_string(static_cast<int>(error)));
}

std::vector<char> ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// The wheel lacks the operators of language models: enough to load one.
void RegisterStandIns() {
  static const auto never_called = [](executorch::runtime::KernelRuntimeContext& context,
                                      executorch::runtime::Span<EValue*>) {
    context.fail(Error::NotImplemented);
  };
  for (const char* name : {"llama::update_cache.out", "llama::custom_sdpa.out"}) {
    if (executorch::runtime::registry_has_op_function(name)) continue;
    Check(executorch::runtime::register_kernel(executorch::runtime::Kernel(name, never_called)),
          name);
  }
}

// The worst |found - expected| relative to the tolerance.
double WorstError(const EValue& found, const Json& expected, const char* bytes, double tolerance) {
  const auto& tensor = found.toTensor();
  const auto count = expected["nbytes"].get<size_t>() / sizeof(float);
  if (static_cast<size_t>(tensor.numel()) != count) throw std::runtime_error("another size");
  const auto* numbers = reinterpret_cast<const float*>(bytes + expected["offset"].get<size_t>());
  double worst = 0;
  for (size_t i = 0; i < count; ++i) {
    const double reference = numbers[i];
    const double error = fabs(tensor.const_data_ptr<float>()[i] - reference);
    const double relative = error / (tolerance * (1 + fabs(reference)));
    if (!(relative <= worst)) worst = relative;
  }
  return worst;
}

double RunCase(const std::string& path) {
  const std::string folder = path.substr(0, path.find_last_of('/') + 1);
  const std::string stem = path.substr(0, path.find_last_of('.'));
  const std::vector<char> text = ReadAll(path);
  const Json recorded = Json::parse(text.begin(), text.end());
  std::vector<char> bytes = ReadAll(stem + ".bin");
  std::vector<std::string> data;
  for (const std::string file : recorded["data"]) data.push_back(folder + file);
  Module module(folder + recorded["program"].get<std::string>(), data, Module::LoadMode::Mmap);
  Check(module.load_forward(), path);
  double worst = 0;
  for (const Json& call : recorded["calls"]) {
    const Json& input = call["inputs"][0];
    std::vector<int32_t> sizes = input["sizes"];
    const auto tensor = executorch::extension::from_blob(
        bytes.data() + input["offset"].get<size_t>(), {sizes.begin(), sizes.end()});
    const auto outputs = module.forward(tensor);
    Check(outputs.error(), path);
    const double error =
        WorstError(outputs->at(0), call["outputs"][0], bytes.data(), recorded["atol"]);
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

int RunCases(int count, char** paths) {
  int passed = 0;
  for (int i = 0; i < count; ++i) {
    const double worst = RunCase(paths[i]);
    const bool is_match = worst <= 1;
    printf("%-4s  %s  worst error %.3g of the tolerance\n", is_match ? "ok" : "FAIL", paths[i],
           worst);
    passed += is_match ? 1 : 0;
  }
  printf("%d passed, %d failed\n", passed, count - passed);
  return passed == count && count > 0 ? 0 : 1;
}

int Load(int count, char** paths) {
  RegisterStandIns();
  const std::vector<std::string> data(paths + 1, paths + count);
  Module module(paths[0], data, Module::LoadMode::Mmap);
  Check(module.load_forward(), paths[0]);
  const auto length = module.execute("get_max_seq_len");
  Check(length.error(), "get_max_seq_len");
  printf("ok    %s  loaded, for %ld tokens\n", paths[0], static_cast<long>(length->at(0).toInt()));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    executorch::runtime::runtime_init();
    if (argc > 2 && std::string(argv[1]) == "--load") return Load(argc - 2, argv + 2);
    return RunCases(argc - 1, argv + 1);
  } catch (const std::exception& error) {
    fprintf(stderr, "executorch_runs: %s\n", error.what());
    return 1;
  }
}
