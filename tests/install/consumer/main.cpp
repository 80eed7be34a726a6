// Somebody else's program: uses every public library once, by the installed package alone.

#include <stdio.h>

#include <memory>

#include "delegate/xnnpack_backend.h"
#include "kernels/cpu_operators.h"
#include "runtime/method.h"
#include "weight_cache/weight_cache.h"

namespace {

int Fail(const char* what, const char* message) {
  fprintf(stderr, "consumer: %s: %s\n", what, message);
  return 1;
}

// Users derive, and build with run-time type information.
class EmptySource final : public onepack::DataSource {
 public:
  const char* name() const override { return "nothing"; }
};

int Run() {
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

  auto empty = onepack::MakeRef<EmptySource>(onepack::HeapAllocator());
  if (!empty.ok()) return Fail("deriving a source", empty.status().message());
  auto no_data = onepack::NamedDataMap::Open(onepack::Ref<onepack::DataSource>(*empty));
  if (no_data.ok()) return Fail("nothing", "was taken for a data file");

  const uint8_t not_a_program[64] = {};
  auto source = onepack::WrapMemory(not_a_program, "zeros");
  if (!source.ok()) return Fail("wrapping memory", source.status().message());
  auto program = onepack::Program::Open(*source);
  if (program.ok()) return Fail("zeros", "were taken for a program");
  printf("%s backend; %s\n", (*backend)->name(), program.status().message());
  return 0;
}

}  // namespace

int main() { return Run(); }
