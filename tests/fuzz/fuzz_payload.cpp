// Bytes as the payload of a program's only delegate, which is called with what it asks for.

#include "tests/fuzz/fuzz_target.h"
#include "tests/hardening/payload_program.h"
#include "tests/hardening/seed_programs.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<uint8_t> named_data = onepack::GeneratedData();
  onepack::AbortOnViolation(
      onepack::RunUntrusted({"fuzz", onepack::ProgramAroundPayload({data, size}), {named_data}}));
  return 0;
}
