// `data=` of what loads programs: None, one NamedData, or several.

#ifndef ONEPACK_PYTHON_BINDINGS_DATA_ARGUMENT_H_
#define ONEPACK_PYTHON_BINDINGS_DATA_ARGUMENT_H_

#include <nanobind/nanobind.h>

#include "onepack/named_data_map.h"
#include "onepack/ref.h"

namespace onepack::python {

// All keys of `data` in one map; null for none. Throws TypeError for what is no such thing.
Ref<NamedDataMap> MergedData(nanobind::handle data);

}  // namespace onepack::python

#endif  // ONEPACK_PYTHON_BINDINGS_DATA_ARGUMENT_H_
