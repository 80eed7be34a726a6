// How long the verification of a program takes: opens one of BYTES bytes (600 KB by default, values
// and instructions in the mix that exporters write) COUNT times.
//
//     onepack_verification_cost [BYTES [COUNT]]
//     valgrind --tool=callgrind --toggle-collect='onepack::VerifyProgram*'
//     onepack_verification_cost 600000 1

#include <stdio.h>
#include <stdlib.h>

#include <chrono>
#include <string>
#include <vector>

#include "aot/pte_writer.h"
#include "tests/support/sources.h"

namespace onepack {
namespace {

// A layer: three tensors, some numbers, a list, four calls.
void AddLayer(MethodPlan& method) {
  const auto first = static_cast<int32_t>(method.values.size());
  TensorPlan tensor;
  tensor.sizes = {1, 128, 64};
  tensor.place = PlannedPlace{1, 0};
  tensor.is_dynamic = true;
  for (int i = 0; i < 3; ++i) method.values.emplace_back(tensor);
  for (int64_t i = 0; i < 4; ++i) method.values.emplace_back(i);
  method.values.emplace_back(IntListPlan{{first + 3, first + 4, first + 5}});
  method.values.emplace_back();
  for (int32_t i = 0; i < 4; ++i) {
    method.chains[0].push_back(
        KernelCallPlan{i % 2, {first, first + 3, first + 7, first + 8, first + 1 + i % 2}});
  }
}

std::vector<uint8_t> ProgramOf(size_t bytes) {
  std::vector<uint8_t> file;
  for (size_t layers = bytes / 1024; file.size() < bytes; layers += layers / 16 + 1) {
    MethodPlan method;
    method.buffer_sizes = {0, 128 * 64 * 4};
    method.operators = {{"aten::add", "out"}, {"aten::mul", "out"}};
    method.chains.resize(1);
    for (size_t i = 0; i < layers; ++i) AddLayer(method);
    ProgramWriter program;
    program.AddMethod(method);
    file = program.Finish();
  }
  return file;
}

int Main(size_t bytes, int count) {
  const std::vector<uint8_t> file = ProgramOf(bytes);
  const Ref<DataSource> source = SourceOf(file, "large.pte");
  double best = 1e9;
  for (int i = 0; i < count; ++i) {
    const auto start = std::chrono::steady_clock::now();
    auto program = Program::Open(source);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    if (!program.ok()) {
      fprintf(stderr, "%s\n", program.status().message());
      return 1;
    }
    if (taken.count() < best) best = taken.count();
  }
  printf("%zu bytes: %.3f ms\n", file.size(), best * 1e3);
  return 0;
}

}  // namespace
}  // namespace onepack

int main(int argc, char** argv) {
  const size_t bytes = argc > 1 ? strtoul(argv[1], nullptr, 10) : 600000;
  return onepack::Main(bytes, argc > 2 ? atoi(argv[2]) : 20);
}
