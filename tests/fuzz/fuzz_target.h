// What every fuzz target is: a function that libFuzzer calls with bytes, and that the replay of the
// corpora calls with files (replay_main.cpp).

#ifndef ONEPACK_TESTS_FUZZ_FUZZ_TARGET_H_
#define ONEPACK_TESTS_FUZZ_FUZZ_TARGET_H_

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/hardening/untrusted_run.h"

// libFuzzer's name.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace onepack {

// What must not be is for the fuzzer like a crash.
inline void AbortOnViolation(const UntrustedOutcome& outcome) {
  if (outcome.violation.empty()) return;
  fprintf(stderr, "%s (last error: %s)\n", outcome.violation.c_str(), outcome.message.c_str());
  abort();
}

}  // namespace onepack

#endif  // ONEPACK_TESTS_FUZZ_FUZZ_TARGET_H_
