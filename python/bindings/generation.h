// How Python asks for tokens: what LanguageModel and AdapterPool have in common.

#ifndef ONEPACK_PYTHON_BINDINGS_GENERATION_H_
#define ONEPACK_PYTHON_BINDINGS_GENERATION_H_

#include <nanobind/nanobind.h>

#include <atomic>
#include <cstdint>
#include <vector>

#include "onepack/generate.h"
#include "python/bindings/call_scope.h"

namespace onepack::python {

// Says from any thread that a generation is to end.
class CancelFlag {
 public:
  void Set() { is_set_.store(true, std::memory_order_relaxed); }
  bool is_set() const { return is_set_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> is_set_{false};
};

// What Python passes, one keyword each.
struct GenerateArguments {
  std::vector<int64_t> prompt;
  GenerateOptions options;
};

// Whatever gives ints. Throws TypeError for what does not.
std::vector<int64_t> TokensOf(nanobind::handle tokens);

// From the attributes of an onepack.generation.Request.
GenerateArguments ArgumentsOf(nanobind::handle request);

// Tells `on_token`, a callable or None, of each token, and asks `cancel` and the keyboard between
// them. All of it lives as long as the options are used.
void Connect(GenerateOptions& options, CallScope& scope, nanobind::handle on_token,
             const CancelFlag& cancel);

// An onepack.records.GenerateResult.
nanobind::object PythonResult(const GenerateResult& result);

void BindGeneration(nanobind::module_& module);

}  // namespace onepack::python

#endif  // ONEPACK_PYTHON_BINDINGS_GENERATION_H_
