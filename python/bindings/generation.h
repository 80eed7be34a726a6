// How Python asks for tokens: what LanguageModel and AdapterPool have in common.

#ifndef ONEPACK_PYTHON_BINDINGS_GENERATION_H_
#define ONEPACK_PYTHON_BINDINGS_GENERATION_H_

#include <nanobind/nanobind.h>

#include <cstdint>
#include <vector>

#include "onepack/generate.h"
#include "python/bindings/call_scope.h"
#include "python/bindings/cancel_flag.h"

namespace onepack::python {

// What Python passes, one keyword each.
struct GenerateArguments {
  std::vector<int64_t> prompt;
  GenerateOptions options;
};

// Whatever gives ints. Throws TypeError for what does not.
std::vector<int64_t> TokensOf(nanobind::handle tokens);

// What TokensOf gives, as an object: a request's tokens are read when it is made.
struct PyTokens {
  std::vector<int64_t> numbers;
};

// From the attributes of an onepack.generation.Request.
GenerateArguments ArgumentsOf(nanobind::handle request);

// Tells `on_token`, a callable or None, of each token, and asks `cancel` and the keyboard between
// them. All of it lives as long as the options are used.
void Connect(GenerateOptions& options, CallScope& scope, nanobind::handle on_token,
             const CancelFlag& cancel);

// When the call has returned: hands an onepack.records.GenerateResult to `keep`, and then throws
// what a callback has raised, or `result`'s error.
void Finish(CallScope& scope, Result<GenerateResult> result, nanobind::handle keep);

void BindGeneration(nanobind::module_& module);

}  // namespace onepack::python

#endif  // ONEPACK_PYTHON_BINDINGS_GENERATION_H_
