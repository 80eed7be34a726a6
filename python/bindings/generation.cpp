#include "python/bindings/generation.h"

#include <nanobind/stl/vector.h>

#include <string>

#include "python/bindings/errors.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace onepack::python {
namespace {

[[noreturn]] void RefuseField(const char* name, const char* wanted) {
  throw nb::type_error((std::string("`") + name + "` must be " + wanted).c_str());
}

template <typename T>
T NumberOf(nb::handle object, const char* name) {
  const nb::object index = nb::steal(PyNumber_Index(object.attr(name).ptr()));
  if (!index) {
    PyErr_Clear();
    RefuseField(name, "a non-negative integer");
  }
  T value;
  if (nb::try_cast(index, value)) return value;
  throw StatusException(Status::Error(StatusCode::kInvalidArgument,
                                      "`%s` must be a non-negative integer of 64 bits", name));
}

float FloatOf(nb::handle object, const char* name) {
  float value;
  if (nb::try_cast(object.attr(name), value)) return value;
  RefuseField(name, "a number");
}

// Or a number, as with Python's own functions.
bool BoolOf(nb::handle object, const char* name) {
  const nb::object value = object.attr(name);
  if (PyNumber_Check(value.ptr()) == 0) RefuseField(name, "a bool");
  const int is_true = PyObject_IsTrue(value.ptr());
  if (is_true < 0) throw nb::python_error();
  return is_true == 1;
}

}  // namespace

std::vector<int64_t> TokensOf(nb::handle tokens) {
  std::vector<int64_t> numbers;
  for (const nb::handle token : nb::iter(tokens)) {
    const nb::object index = nb::steal(PyNumber_Index(token.ptr()));
    if (!index) throw nb::python_error();
    int64_t& number = numbers.emplace_back();
    if (!nb::try_cast(index, number)) {
      throw StatusException(
          Status::Error(StatusCode::kInvalidArgument, "a token that 64 bits do not hold"));
    }
  }
  return numbers;
}

GenerateArguments ArgumentsOf(nb::handle request) {
  GenerateArguments arguments;
  arguments.prompt = nb::cast<const PyTokens&>(request.attr("prompt")).numbers;
  GenerateOptions& options = arguments.options;
  options.max_new_tokens = NumberOf<size_t>(request, "max_new_tokens");
  options.stop_tokens = nb::cast<const PyTokens&>(request.attr("stop_tokens")).numbers;
  options.ignore_eos = BoolOf(request, "ignore_eos");
  options.prefill_chunk = NumberOf<size_t>(request, "prefill_chunk");
  const nb::object sampling = request.attr("sampling");
  options.sampling.temperature = FloatOf(sampling, "temperature");
  options.sampling.top_k = NumberOf<size_t>(sampling, "top_k");
  options.sampling.top_p = FloatOf(sampling, "top_p");
  options.sampling.seed = NumberOf<uint64_t>(sampling, "seed");
  return arguments;
}

void Connect(GenerateOptions& options, CallScope& scope, nb::handle on_token,
             const CancelFlag& cancel) {
  options.should_cancel = [&scope, &cancel] { return cancel.is_set() || !scope.CheckSignals(); };
  if (on_token.is_none()) return;
  options.on_token = [&scope, on_token](int64_t token) {
    return scope.CallPython([&] {
      const nb::int_ number(token);
      return !CallApplication([&] { return on_token(number); }).is(nb::bool_(false));
    });
  };
}

void Finish(CallScope& scope, Result<GenerateResult> result, nb::handle keep) {
  if (result.ok()) {
    const GenerateResult& made = result.value();
    keep(nb::module_::import_("onepack.records")
             .attr("GenerateResult")(
                 "tokens"_a = nb::tuple(nb::cast(made.tokens)), "stop_reason"_a = made.stop_reason,
                 "prefill_seconds"_a = made.prefill_seconds,
                 "decode_seconds"_a = made.decode_seconds, "prefill_tokens"_a = made.prefill_tokens,
                 "decode_tokens"_a = made.decode_tokens));
  }
  scope.Finish();
  if (!result.ok()) throw StatusException(result.status());
}

void BindGeneration(nb::module_& module) {
  nb::enum_<StopReason>(module, "StopReason", "Why an answer ended.")
      .value("MAX_NEW_TOKENS", StopReason::kMaxNewTokens, "It has as many tokens as asked for.")
      .value("STOP_TOKEN", StopReason::kStopToken,
             "A token of ``stop_tokens``, or one of the model's own.")
      .value("CONTEXT_FULL", StopReason::kContextFull, "The context has no room for more.")
      .value("CANCELLED", StopReason::kCancelled, "cancel(), or ``on_token`` returned False.");
  nb::class_<PyTokens>(module, "_Tokens", "Of a request.")
      .def(
          "__init__",
          [](PyTokens* self, const nb::object& tokens) { new (self) PyTokens{TokensOf(tokens)}; },
          "tokens"_a, nb::sig("def __init__(self, tokens: collections.abc.Iterable[int]) -> None"));
  nb::class_<CancelFlag>(module, "_CancelFlag", "Ends a generation, from any thread.")
      .def(nb::init<>())
      .def("set", &CancelFlag::Set)
      .def_prop_ro("is_set", &CancelFlag::is_set)
      .def_prop_rw("is_in_background", &CancelFlag::is_in_background,
                   &CancelFlag::set_is_in_background);
}

}  // namespace onepack::python
