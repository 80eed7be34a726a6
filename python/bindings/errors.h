// How a Status becomes a Python exception: onepack/errors.py has the classes.

#ifndef ONEPACK_PYTHON_BINDINGS_ERRORS_H_
#define ONEPACK_PYTHON_BINDINGS_ERRORS_H_

#include <nanobind/nanobind.h>

#include <exception>
#include <string>
#include <utility>

#include "onepack/result.h"
#include "onepack/status.h"

namespace onepack::python {

// On its way to Python. The translator that BindErrors registers makes an exception of it there, so
// that it can be thrown where the GIL is released.
class StatusException : public std::exception {
 public:
  explicit StatusException(const Status& status, std::string path = {}, bool is_closed = false)
      : code_(status.code()),
        message_(status.message()),
        path_(std::move(path)),
        is_closed_(is_closed) {}

  const char* what() const noexcept override { return message_.c_str(); }
  StatusCode code() const { return code_; }
  // Of the file that was opened; empty where none was.
  const std::string& path() const { return path_; }
  // Whether it is about an object that was closed.
  bool is_closed() const { return is_closed_; }

 private:
  StatusCode code_;
  std::string message_;
  std::string path_;
  bool is_closed_;
};

// `path`: of the file that is being opened. A missing one is then FileNotFoundError, too.
inline void ThrowIfError(const Status& status, const std::string& path = {}) {
  if (!status.ok()) throw StatusException(status, path);
}

template <typename T>
T ValueOrThrow(Result<T> result, const std::string& path = {}) {
  if (!result.ok()) throw StatusException(result.status(), path);
  return std::move(result).value();
}

void BindErrors(nanobind::module_& module);

}  // namespace onepack::python

#endif  // ONEPACK_PYTHON_BINDINGS_ERRORS_H_
