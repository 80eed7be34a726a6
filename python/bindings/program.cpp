// onepack.Program

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "python/bindings/bind.h"
#include "python/bindings/buffer_source.h"
#include "python/bindings/handles.h"
#include "python/bindings/path.h"
#include "python/bindings/text.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace onepack::python {
namespace {

constexpr const char* kAbout =
    R"(A program (.pte), verified.

``Program(path)`` maps the file; it must not be changed in place while anything uses it: replace it
(write a new one, rename it over) instead. What is loaded from a program keeps it alive.

Threads: any, at any time.

Raises:
    FileNotFoundError: There is no such file.
    InvalidFileError: It is no program, or a damaged one.
    OSError: The system refuses to read it.
)";

Ref<Program> Open(const Ref<DataSource>& source) {
  const nb::gil_scoped_release release;
  return ValueOrThrow(Program::Open(source));
}

Ref<Program> OpenFile(const std::string& path) {
  const nb::gil_scoped_release release;
  return ValueOrThrow(Program::Open(ValueOrThrow(OpenMappedFile(path.c_str()), path)));
}

std::vector<nb::str> MethodNames(const PyProgram& self) {
  const Ref<Program> program = self.handle.Get();
  std::vector<nb::str> names;
  for (size_t i = 0; i < program->method_count(); ++i) {
    names.push_back(TextOf(program->method_name(i)));
  }
  return names;
}

nb::str Show(const PyProgram& self) {
  if (self.handle.is_closed()) return nb::str("<onepack.Program, closed>");
  return TextOf(std::string("<onepack.Program '") + self.handle.Get()->name() + "'>");
}

}  // namespace

void BindProgram(nb::module_& module) {
  nb::class_<PyProgram> bound(module, "Program", kAbout);
  bound
      .def(
          "__init__",
          [](PyProgram* self, const nb::object& path) {
            new (self) PyProgram{{"program", OpenFile(PathOf(path))}};
          },
          "path"_a, nb::sig("def __init__(self, path: str | bytes | os.PathLike[str]) -> None"))
      .def_static(
          "from_buffer",
          [](const nb::object& buffer, const std::string& name) {
            return PyProgram{{"program", Open(OpenBuffer(buffer, name.c_str()))}};
          },
          "buffer"_a, "name"_a = "(buffer)",
          nb::sig("def from_buffer(buffer: typing_extensions.Buffer, name: str = '(buffer)') "
                  "-> Program"),
          "Opens a program in memory: bytes, a memoryview, an mmap. Nothing is copied; the buffer "
          "is held, and must not be written to, as long as anything uses it. ``name`` is what "
          "messages call it.")
      .def_prop_ro(
          "name", [](const PyProgram& self) { return TextOf(self.handle.Get()->name()); },
          "The file, as messages call it.")
      .def_prop_ro("method_names", MethodNames, nb::sig("def method_names(self) -> list[str]"),
                   "Of the methods, in the order of the file.")
      .def(
          "named_data",
          [](const PyProgram& self) -> PyNamedData {
            return {{"data", self.handle.Get()->named_data()}};
          },
          nb::sig("def named_data(self) -> NamedData"), "The data that the program carries itself.")
      .def("__repr__", Show);
  BindClosing(bound);

  nb::class_<PySharedState> state(module, "SharedState",
                                  R"(The state that methods of a program have together.

A KV cache that "prefill" fills and "decode" goes on with, for instance: give it to each Method.
Make a second one, and load the methods once more with it, for a second conversation.

Threads: methods that share it may be loaded and closed in any threads, and run one at a time.

Args:
    program: The very Program that the methods are loaded from.
    max_bytes: The most that it may take. 0: the memory that the machine has.
)");
  state
      .def(
          "__init__",
          [](PySharedState* self, const PyProgram& program, uint64_t max_bytes) {
            new (self) PySharedState{
                {"state", ValueOrThrow(SharedState::Create(program.handle.Get(), max_bytes))}};
          },
          "program"_a, nb::kw_only(), "max_bytes"_a = 0)
      .def_prop_ro(
          "size_bytes", [](const PySharedState& self) { return self.handle.Get()->size_bytes(); },
          "0: no methods of the program share state.");
  BindClosing(state);
}

}  // namespace onepack::python
