// The base of onepack.AdapterPool

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "python/bindings/bind.h"
#include "python/bindings/call_scope.h"
#include "python/bindings/data_argument.h"
#include "python/bindings/generation.h"
#include "python/bindings/handles.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace onepack::python {
namespace {

void Make(PyAdapterPool* self, const PyBackend& backend, const nb::object& foundation,
          uint64_t max_planned_bytes) {
  const std::shared_ptr<const Engine> engine = backend.handle.Get();
  MethodOptions options = engine->LoadOptions();
  options.named_data = MergedData(foundation);
  options.max_planned_bytes = max_planned_bytes;
  new (self) PyAdapterPool{{"pool", std::make_shared<OpenPool>(engine, options)}};
}

void Add(const PyAdapterPool& self, const std::string& name, const PyProgram& program,
         const nb::object& data, const std::string& method, const nb::object& on_progress) {
  const InUse<OpenPool> open(self.handle.Get());
  const Ref<Program> from = program.handle.Get();
  const Ref<NamedDataMap> map = MergedData(data);
  CallScope scope(on_progress);
  const Status status = [&] {
    const nb::gil_scoped_release release;
    return open->pool.Add(name, from, map, method);
  }();
  scope.Finish();
  ThrowIfError(status);
}

void Drop(const PyAdapterPool& self, const std::string& name) {
  const InUse<OpenPool> open(self.handle.Get());
  const nb::gil_scoped_release release;
  ThrowIfError(open->pool.Drop(name));
}

std::vector<std::string> Names(const PyAdapterPool& self) {
  const InUse<OpenPool> open(self.handle.Get());
  const nb::gil_scoped_release release;
  return ValueOrThrow(open->pool.Names());
}

void Generate(const PyAdapterPool& self, const std::string& name, const nb::object& request,
              const nb::object& on_token, const CancelFlag& cancel, const nb::object& keep) {
  const InUse<OpenPool> open(self.handle.Get());
  GenerateArguments arguments = ArgumentsOf(request);
  CallScope scope;
  Connect(arguments.options, scope, on_token, cancel);
  Result<GenerateResult> result = [&] {
    const nb::gil_scoped_release release;
    return open->pool.Generate(name, arguments.prompt, arguments.options);
  }();
  Finish(scope, std::move(result), keep);
}

}  // namespace

void BindAdapterPool(nb::module_& module) {
  nb::class_<PyAdapterPool> bound(module, "AdapterPool");
  bound
      .def("__init__", Make, nb::kw_only(), "backend"_a, "foundation"_a = nb::none(),
           "max_planned_bytes"_a = 0,
           nb::sig("def __init__(self, *, backend: Backend, "
                   "foundation: NamedData | collections.abc.Iterable[NamedData] | None = None, "
                   "max_planned_bytes: int = 0) -> None"))
      .def("add", Add, "name"_a, "program"_a, "data"_a = nb::none(), nb::kw_only(), "method"_a = "",
           "on_progress"_a = nb::none(),
           nb::sig("def add(self, name: str, program: Program, "
                   "data: NamedData | collections.abc.Iterable[NamedData] | None = None, *, "
                   "method: str = '', "
                   "on_progress: collections.abc.Callable[[onepack.records.LoadProgress], object] "
                   "| None = None) -> None"),
           "Loads a model while the others go on. ``data``: the adapter's own weights. Raises "
           "InvalidArgumentError for a name that is taken; what LanguageModel raises. What is "
           "refused changes nothing for the others.")
      .def("drop", Drop, "name"_a,
           "Requests that run still end well; what the adapter costs goes back with the last of "
           "them. Raises NotFoundError.")
      .def("names", Names, nb::sig("def names(self) -> list[str]"), "In alphabetical order.")
      .def("__len__", [](const PyAdapterPool& self) { return Names(self).size(); })
      .def("__bool__", [](const PyAdapterPool& /*self*/) { return true; })  // empty, too
      .def(
          "__contains__",
          [](const PyAdapterPool& self, const nb::object& name) {
            const std::vector<std::string> names = Names(self);
            std::string wanted;
            return nb::try_cast(name, wanted) &&
                   std::find(names.begin(), names.end(), wanted) != names.end();
          },
          "name"_a.none())
      .def("_generate", Generate, "name"_a, "request"_a, "on_token"_a.none(), "cancel"_a, "keep"_a,
           nb::sig("def _generate(self, name: str, request: onepack.generation.Request, "
                   "on_token: collections.abc.Callable[[int], object] | None, "
                   "cancel: _CancelFlag, "
                   "keep: collections.abc.Callable[[onepack.records.GenerateResult], None]) "
                   "-> None"));
  BindClosing(bound);
}

}  // namespace onepack::python
