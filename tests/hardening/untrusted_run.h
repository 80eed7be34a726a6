// Loads untrusted files and runs what loads: what the mutation test, the fuzzers and the
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

#include "onepack/backend.h"
#include "weight_cache/packed_weight_cache.h"

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
  // The last error, for reports.
  std::string message;
};

// A good program that stays loaded, and has its cache and its backend in common with untrusted
// ones.
class Neighbour {
 public:
  // Throws std::runtime_error if the files do not load and run.
  explicit Neighbour(const UntrustedFiles& files);
  ~Neighbour();

  const std::shared_ptr<PackedWeightCache>& cache() const;
  const Ref<Backend>& backend() const;

  // Runs it. What is wrong with it, empty if it gives what it gave at first.
  std::string Harm();

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

// Opens the files, loads every method with the XNNPACK backend, and runs it with inputs at their
// bounds, at the least sizes, and from a state that was saved: once with the operators of kernels/,
// once with operators that touch all bytes they are given. With a neighbour that runs afterwards,
// or with a backend of its own.
UntrustedOutcome RunUntrusted(const UntrustedFiles& files, Neighbour* neighbour = nullptr);

// Opens a data file alone and reads all it has.
UntrustedOutcome ReadUntrustedData(const std::vector<uint8_t>& file);

// The operator that is registered for untrusted programs.
inline constexpr char kTouchOperator[] = "test::touch.out";

}  // namespace onepack

#endif  // ONEPACK_TESTS_HARDENING_UNTRUSTED_RUN_H_
