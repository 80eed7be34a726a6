// Bytes as a program (.pte), beside a data file that has the keys of the corpus.

#include "tests/fuzz/fuzz_target.h"
#include "tests/hardening/seed_programs.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<uint8_t> named_data = onepack::GeneratedData();
  onepack::AbortOnViolation(
      onepack::RunUntrusted({"fuzz", std::vector<uint8_t>(data, data + size), {named_data}}));
  return 0;
}
