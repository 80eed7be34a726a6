// Bytes as a call of an operator: u16 which one, then a script for its arguments.

#include "tests/fuzz/fuzz_target.h"
#include "tests/hardening/operator_calls.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto signatures = onepack::FindOperatorSignatures();
  if (size < 2) return 0;
  const size_t index = (data[0] | data[1] << 8) % signatures.size();
  const auto outcome = onepack::CallOperator(signatures[index], {data + 2, size - 2});
  if (outcome.violation.empty()) return 0;
  fprintf(stderr, "%s: %s (%s)\n", signatures[index].name.c_str(), outcome.violation.c_str(),
          outcome.message.c_str());
  abort();
}
