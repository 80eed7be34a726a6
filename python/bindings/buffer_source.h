// A program or data file that is in the memory of a Python object: bytes, a memoryview, an mmap.

#ifndef ONEPACK_PYTHON_BINDINGS_BUFFER_SOURCE_H_
#define ONEPACK_PYTHON_BINDINGS_BUFFER_SOURCE_H_

#include <nanobind/nanobind.h>

#include "onepack/data_source.h"
#include "onepack/ref.h"

namespace onepack::python {

// Copies nothing: the source holds the object's buffer until the last user of its bytes is gone.
// Throws what Python raises for an object that has no contiguous buffer.
Ref<DataSource> OpenBuffer(nanobind::handle object, const char* name);

}  // namespace onepack::python

#endif  // ONEPACK_PYTHON_BINDINGS_BUFFER_SOURCE_H_
