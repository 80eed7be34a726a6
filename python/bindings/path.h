// What names a file in Python: str, bytes or os.PathLike.

#ifndef ONEPACK_PYTHON_BINDINGS_PATH_H_
#define ONEPACK_PYTHON_BINDINGS_PATH_H_

#include <nanobind/nanobind.h>

#include <string>

namespace onepack::python {

// In the file system's own bytes. Throws TypeError for what is no path, and ValueError for one with
// a zero byte in it.
inline std::string PathOf(nanobind::handle path) {
  PyObject* bytes = nullptr;
  if (PyUnicode_FSConverter(path.ptr(), &bytes) == 0) throw nanobind::python_error();
  const nanobind::bytes owned = nanobind::steal<nanobind::bytes>(bytes);
  return {owned.c_str(), owned.size()};
}

}  // namespace onepack::python

#endif  // ONEPACK_PYTHON_BINDINGS_PATH_H_
