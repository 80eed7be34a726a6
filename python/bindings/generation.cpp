#include "python/bindings/generation.h"

#include <nanobind/stl/vector.h>

namespace nb = nanobind;
using namespace nb::literals;

namespace onepack::python {

GenerateArguments ArgumentsOf(nb::handle request) {
  GenerateArguments arguments;
  arguments.prompt = nb::cast<std::vector<int64_t>>(request.attr("prompt"));
  GenerateOptions& options = arguments.options;
  options.max_new_tokens = nb::cast<size_t>(request.attr("max_new_tokens"));
  options.stop_tokens = nb::cast<std::vector<int64_t>>(request.attr("stop_tokens"));
  options.ignore_eos = nb::cast<bool>(request.attr("ignore_eos"));
  options.prefill_chunk = nb::cast<size_t>(request.attr("prefill_chunk"));
  const nb::object sampling = request.attr("sampling");
  options.sampling.temperature = nb::cast<float>(sampling.attr("temperature"));
  options.sampling.top_k = nb::cast<size_t>(sampling.attr("top_k"));
  options.sampling.top_p = nb::cast<float>(sampling.attr("top_p"));
  options.sampling.seed = nb::cast<uint64_t>(sampling.attr("seed"));
  return arguments;
}

void Connect(GenerateOptions& options, CallScope& scope, nb::handle on_token,
             const CancelFlag& cancel) {
  options.should_cancel = [&scope, &cancel] { return cancel.is_set() || !scope.CheckSignals(); };
  if (on_token.is_none()) return;
  options.on_token = [&scope, on_token](int64_t token) {
    return scope.CallPython([&] { return !on_token(token).is(nb::bool_(false)); });
  };
}

nb::object PythonResult(const GenerateResult& result) {
  return nb::module_::import_("onepack.records")
      .attr("GenerateResult")(
          "tokens"_a = nb::tuple(nb::cast(result.tokens)), "stop_reason"_a = result.stop_reason,
          "prefill_seconds"_a = result.prefill_seconds, "decode_seconds"_a = result.decode_seconds,
          "prefill_tokens"_a = result.prefill_tokens, "decode_tokens"_a = result.decode_tokens);
}

void BindGeneration(nb::module_& module) {
  nb::enum_<StopReason>(module, "StopReason", "Why an answer ended.")
      .value("MAX_NEW_TOKENS", StopReason::kMaxNewTokens, "It has as many tokens as asked for.")
      .value("STOP_TOKEN", StopReason::kStopToken,
             "A token of ``stop_tokens``, or one of the model's own.")
      .value("CONTEXT_FULL", StopReason::kContextFull, "The context has no room for more.")
      .value("CANCELLED", StopReason::kCancelled, "cancel(), or ``on_token`` returned False.");
  nb::class_<CancelFlag>(module, "_CancelFlag", "Ends a generation, from any thread.")
      .def(nb::init<>())
      .def("set", &CancelFlag::Set)
      .def_prop_ro("is_set", &CancelFlag::is_set);
}

}  // namespace onepack::python
