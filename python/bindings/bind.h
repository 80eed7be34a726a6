// One function for each class or family of classes of the module.

#ifndef ONEPACK_PYTHON_BINDINGS_BIND_H_
#define ONEPACK_PYTHON_BINDINGS_BIND_H_

#include <nanobind/nanobind.h>

namespace onepack::python {

void BindWeightCache(nanobind::module_& module);
void BindBackend(nanobind::module_& module);
void BindProgram(nanobind::module_& module);
void BindNamedData(nanobind::module_& module);
void BindMethod(nanobind::module_& module);
void BindLanguageModel(nanobind::module_& module);
void BindAdapterPool(nanobind::module_& module);

}  // namespace onepack::python

#endif  // ONEPACK_PYTHON_BINDINGS_BIND_H_
