// onepack._core: the C++ interface in Python. onepack/__init__.py says what of it is public.

#include <nanobind/nanobind.h>

#include "onepack/version.h"
#include "python/bindings/bind.h"
#include "python/bindings/errors.h"

#define ONEPACK_TEXT_OF(number) #number
#define ONEPACK_VERSION_TEXT(major, minor, patch) \
  ONEPACK_TEXT_OF(major) "." ONEPACK_TEXT_OF(minor) "." ONEPACK_TEXT_OF(patch)

NB_MODULE(_core, module) {
  nanobind::set_leak_warnings(false);  // a library prints nothing
  module.doc() = "The C++ core of onepack.";
  module.attr("version") =
      ONEPACK_VERSION_TEXT(ONEPACK_VERSION_MAJOR, ONEPACK_VERSION_MINOR, ONEPACK_VERSION_PATCH);
  onepack::python::BindErrors(module);
  onepack::python::BindWeightCache(module);
  onepack::python::BindBackend(module);
  onepack::python::BindNamedData(module);
  onepack::python::BindProgram(module);
  onepack::python::BindMethod(module);
  onepack::python::BindLanguageModel(module);
  onepack::python::BindAdapterPool(module);
}
