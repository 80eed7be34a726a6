#include "python/bindings/errors.h"

#include <nanobind/stl/string.h>

#include "python/bindings/text.h"

namespace nb = nanobind;

namespace onepack::python {
namespace {

void SetPythonError(const StatusException& error) {
  const nb::object exception = nb::module_::import_("onepack.errors")
                                   .attr("_error_of")(error.code(), TextOf(error.what()),
                                                      TextOf(error.path()), error.is_closed());
  PyErr_SetObject(exception.type().ptr(), exception.ptr());
}

void Translate(const std::exception_ptr& thrown, void* /*payload*/) {
  try {
    std::rethrow_exception(thrown);
  } catch (const StatusException& error) {
    try {
      SetPythonError(error);
    } catch (nb::python_error& failed) {
      failed.restore();  // no memory for the exception, for instance
    }
  }
}

}  // namespace

void BindErrors(nb::module_& module) {
  nb::enum_<StatusCode>(module, "StatusCode", "What kind of failure it is: ``Error.code``.")
      .value("INVALID_ARGUMENT", StatusCode::kInvalidArgument,
             "The caller passed something wrong: fix the call.")
      .value("NOT_FOUND", StatusCode::kNotFound,
             "A file, key, method, adapter or operator that is not there.")
      .value("INVALID_FILE", StatusCode::kInvalidFile,
             "The bytes are not what the format says: get another copy of the file.")
      .value("MISMATCH", StatusCode::kMismatch,
             "Two good files that do not fit together: pair them correctly.")
      .value("UNSUPPORTED", StatusCode::kUnsupported,
             "A good file that asks for what this build cannot do.")
      .value("RESOURCE_EXHAUSTED", StatusCode::kResourceExhausted,
             "No memory, no address space: retry later.")
      .value("IO_ERROR", StatusCode::kIoError, "The operating system refused a read or a mapping.")
      .value("FAILED_PRECONDITION", StatusCode::kFailedPrecondition, "Called in the wrong state.")
      .value("CANCELLED", StatusCode::kCancelled, "The application's own callback said stop.")
      .value("INTERNAL", StatusCode::kInternal, "A defect of onepack's, or of XNNPACK's.");
  nb::register_exception_translator(Translate);
}

}  // namespace onepack::python
