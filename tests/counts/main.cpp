// onepack_counts --list   names of all measures; the compiler, of which instructions depend
// onepack_counts NAME     takes one, in a process of its own: a line of JSON with its counts
//
// For check.py.

#include <hwy/targets.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/counts/measures.h"

namespace onepack {
namespace {

// The vector instructions are chosen here, not by the processor: every one that matters has AVX2,
// and valgrind knows none beyond it. Elsewhere instructions are not counted.
bool ChooseVectors() {
#if defined(__x86_64__)
  if ((hwy::SupportedTargets() & HWY_AVX2) == 0) return false;
  hwy::SetSupportedTargetsForTest(HWY_AVX2);
  return true;
#else
  return false;
#endif
}

#if defined(__clang__)
constexpr const char* kCompiler = "clang++";
constexpr int kMajor = __clang_major__;
#else
constexpr const char* kCompiler = "g++";
constexpr int kMajor = __GNUC__;
#endif

void List() {
  printf("{\"compiler\": \"%s %d\", \"has_vectors\": %s, \"measures\": [", kCompiler, kMajor,
         ChooseVectors() ? "true" : "false");
  const char* separator = "";
  for (const Measure& measure : Measures()) {
    printf("%s\"%s\"", separator, measure.name);
    separator = ", ";
  }
  printf("]}\n");
}

int Take(const Measure& measure) {
  ChooseVectors();
  Result<Counts> counts = measure.take();
  if (!counts.ok()) {
    fprintf(stderr, "onepack_counts: %s: %s\n", measure.name, counts.status().message());
    return 1;
  }
  printf(
      "{\"allocations\": %zu, \"bytes\": %zu, \"mappings\": %zu, "
      "\"mapped_bytes\": %zu}\n",
      counts->allocations, counts->bytes, counts->mappings, counts->mapped_bytes);
  return 0;
}

int Main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "--list") == 0) {
    List();
    return 0;
  }
  if (chdir(ONEPACK_TEST_DATA_DIR "/cases") != 0) {
    perror("onepack_counts: " ONEPACK_TEST_DATA_DIR "/cases");
    return 1;
  }
  for (const Measure& measure : Measures()) {
    if (argc == 2 && strcmp(argv[1], measure.name) == 0) return Take(measure);
  }
  fprintf(stderr, "usage: onepack_counts --list | NAME\n");
  return 2;
}

}  // namespace
}  // namespace onepack

int main(int argc, char** argv) { return onepack::Main(argc, argv); }
