// Bytes as a data file (.ptd): alone, then as what a program needs.

#include "tests/fuzz/fuzz_target.h"
#include "tests/hardening/seed_programs.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<onepack::UntrustedFiles> programs = onepack::GeneratedSeeds();
  const std::vector<uint8_t> file(data, data + size);
  const onepack::UntrustedOutcome outcome = onepack::ReadUntrustedData(file);
  onepack::AbortOnViolation(outcome);
  if (outcome.methods_loaded == 0) return 0;
  for (const onepack::UntrustedFiles& program : programs) {
    if (program.data.empty()) continue;
    onepack::AbortOnViolation(onepack::RunUntrusted({"fuzz", program.program, {file}}));
  }
  return 0;
}
