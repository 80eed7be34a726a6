#include "python/bindings/call_scope.h"

#include <nanobind/stl/string.h>

#include "python/bindings/text.h"

namespace nb = nanobind;

namespace onepack::python {
namespace {

constexpr std::chrono::milliseconds kBetweenLooks(50);

}  // namespace

thread_local CallScope* CallScope::innermost_ = nullptr;

CallScope::CallScope(nb::object on_progress)
    : outer_(innermost_),
      on_progress_(std::move(on_progress)),
      next_look_(std::chrono::steady_clock::now() + kBetweenLooks) {
  innermost_ = this;
}

CallScope::~CallScope() { innermost_ = outer_; }

bool CallScope::ReportProgress(const LoadProgress& progress) {
  return innermost_ == nullptr || innermost_->Report(progress);
}

bool CallScope::Report(const LoadProgress& progress) {
  if (on_progress_.is_none()) return CheckSignals();
  return CallPython([&] {
    const nb::object told =
        nb::module_::import_("onepack.records")
            .attr("LoadProgress")(TextOf(progress.program), progress.served_bytes,
                                  progress.expected_bytes);
    // A callback that returns nothing, as tqdm's do, means "go on".
    return !CallApplication([&] { return on_progress_(told); }).is(nb::bool_(false));
  });
}

bool CallScope::CheckSignals() {
  if (raised_) return false;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_look_) return true;
  next_look_ = now + kBetweenLooks;
  return CallPython([] {
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
    return true;
  });
}

}  // namespace onepack::python
