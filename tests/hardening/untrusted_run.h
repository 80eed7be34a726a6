// Loads files that nobody trusts and runs what loads: what the mutation test, the fuzzers and the
// replay of their corpora have in common.
//
// Whatever the bytes are, the answer must be a Status. What else must hold is checked here: memory
// is bounded and given back, the cache is empty afterwards, messages are fit to print, and nothing
// takes a second. That nothing crashes is for the sanitizers to see.

#ifndef ONEPACK_TESTS_HARDENING_UNTRUSTED_RUN_H_
#define ONEPACK_TESTS_HARDENING_UNTRUSTED_RUN_H_

#include <stdint.h>

#include <string>
#include <vector>

#include "runtime/backend.h"

namespace onepack {

struct UntrustedFiles {
  std::string name;
  std::vector<uint8_t> program;
  std::vector<std::vector<uint8_t>> data;
};

struct UntrustedOutcome {
  size_t methods_loaded = 0;
  size_t runs_succeeded = 0;
  // What must not be, empty if all is well.
  std::string violation;
  // The last error, for those who want to see it.
  std::string message;
};

// Opens the files, loads every method with the XNNPACK backend, and runs it with inputs at their
// bounds, at the least sizes, and from a state that was saved: once with the operators of kernels/,
// once with operators that touch all bytes they are given.
UntrustedOutcome RunUntrusted(const UntrustedFiles& files);

// Opens a data file alone and reads all it has.
UntrustedOutcome ReadUntrustedData(const std::vector<uint8_t>& file);

// The operator that is registered for untrusted programs.
inline constexpr char kTouchOperator[] = "test::touch.out";

}  // namespace onepack

#endif  // ONEPACK_TESTS_HARDENING_UNTRUSTED_RUN_H_
