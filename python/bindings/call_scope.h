// A call into the library that calls Python back: what Python is asked, and what it raised.
//
// The library takes an exception for "cancel" and goes on to clean up. So one is kept here, and
// raised when the call has returned: Finish().
//
// Threads: made, finished and destroyed with the GIL by the thread that makes the call, which is
//          also the one that the library calls back in. Scopes of one thread are nested.

#ifndef ONEPACK_PYTHON_BINDINGS_CALL_SCOPE_H_
#define ONEPACK_PYTHON_BINDINGS_CALL_SCOPE_H_

#include <nanobind/nanobind.h>
#include <unistd.h>

#include <chrono>
#include <exception>
#include <utility>

#include "onepack/load_progress.h"

namespace onepack::python {

// What `call`, which runs code of the application's, returns. Until 3.13 Python ends a daemon
// thread that comes back to it after its end by unwinding the thread's stack. What is on ours, in
// the core and here, takes that for an exception, or needs the GIL to be destroyed; so the thread
// is left where it is, as later versions do.
template <typename Call>
auto CallApplication(const Call& call) {
  try {
    return call();
  } catch (const std::exception&) {  // whatever is thrown here and by nanobind
    throw;
  } catch (...) {
    for (;;) pause();
  }
}

class CallScope {
 public:
  // `on_progress`: called with a LoadProgress for what is loaded in this scope; None for nothing.
  explicit CallScope(nanobind::object on_progress = nanobind::none());
  ~CallScope();
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

  // For every backend: asks the innermost scope of the thread that loads.
  static bool ReportProgress(const LoadProgress& progress);

  // With or without the GIL: whether to go on after `ask`, which is called with it. After an
  // exception: false, and nothing more is asked.
  template <typename Ask>
  bool CallPython(const Ask& ask) {
    if (raised_) return false;
    const nanobind::gil_scoped_acquire acquire;
    if (!acquire.is_valid()) return false;  // Python has ended
    try {
      return ask();
    } catch (const nanobind::python_error&) {
      raised_ = std::current_exception();
    } catch (const std::exception&) {
      raised_ = std::current_exception();
    }
    return false;
  }

  // Whether to go on: false after Ctrl-C. Looks at most 20 times a second, because to get the GIL
  // may take some milliseconds.
  bool CheckSignals();

  // Throws what Python has raised, if anything.
  void Finish() {
    if (raised_) std::rethrow_exception(std::exchange(raised_, nullptr));
  }

 private:
  bool Report(const LoadProgress& progress);

  static thread_local CallScope* innermost_;

  CallScope* const outer_;
  const nanobind::object on_progress_;
  std::exception_ptr raised_;
  std::chrono::steady_clock::time_point next_look_;
};

}  // namespace onepack::python

#endif  // ONEPACK_PYTHON_BINDINGS_CALL_SCOPE_H_
