// Bytes as the payload of a program's only delegate, which is called with two f32 tensors.

#include "tests/fuzz/fuzz_target.h"
#include "tests/hardening/seed_programs.h"
#include "tests/support/delegate_fixture.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<uint8_t> named_data = onepack::GeneratedData();
  onepack::AbortOnViolation(onepack::RunUntrusted(
      {"fuzz", onepack::MakeProgramAround({data, size}, 4, 32, 4), {named_data}}));
  return 0;
}
