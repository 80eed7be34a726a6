// Text of the library's as Python has it.

#ifndef ONEPACK_PYTHON_BINDINGS_TEXT_H_
#define ONEPACK_PYTHON_BINDINGS_TEXT_H_

#include <nanobind/nanobind.h>

#include <string_view>

namespace onepack::python {

// Paths, and messages that have some in them, may be any bytes: what is no UTF-8 becomes what
// os.fsencode turns back.
inline nanobind::str TextOf(std::string_view text) {
  PyObject* decoded =
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "surrogateescape");
  if (decoded == nullptr) throw nanobind::python_error();
  return nanobind::steal<nanobind::str>(decoded);
}

}  // namespace onepack::python

#endif  // ONEPACK_PYTHON_BINDINGS_TEXT_H_
