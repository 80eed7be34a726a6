// onepack.NamedData

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string_view>

#include "python/bindings/bind.h"
#include "python/bindings/buffer_source.h"
#include "python/bindings/data_argument.h"
#include "python/bindings/handles.h"
#include "python/bindings/path.h"
#include "python/bindings/text.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace onepack::python {
namespace {

constexpr const char* kAbout =
    R"(A data file (.ptd): constants by name, that programs refer to.

``NamedData(path)`` maps the file; it must not be changed in place while anything uses it. No
constant is read before a method that needs it is loaded, or runs.

``key in data``, ``len(data)``, ``data.keys()`` and iterating are as with a dict; ``data[key]`` is a read-only
memoryview of the constant's bytes, without a copy, and keeps the file mapped.

Threads: any, at any time.

Raises:
    FileNotFoundError: There is no such file.
    InvalidFileError: It is no data file, or a damaged one.
    OSError: The system refuses to read it.
)";

Ref<NamedDataMap> OpenFile(const std::string& path) {
  const nb::gil_scoped_release release;
  return ValueOrThrow(NamedDataMap::Open(ValueOrThrow(OpenMappedFile(path.c_str()), path)));
}

Ref<NamedDataMap> Open(const Ref<DataSource>& source) {
  const nb::gil_scoped_release release;
  return ValueOrThrow(NamedDataMap::Open(source));
}

PyNamedData Merge(const nb::iterable& maps) {
  Ref<NamedDataMap> merged = MergedData(maps);
  if (!merged) throw nb::value_error("nothing to merge");
  return {{"data", std::move(merged)}};
}

std::vector<nb::str> Keys(const PyNamedData& self) {
  const Ref<NamedDataMap> map = self.handle.Get();
  std::vector<nb::str> keys;
  for (const NamedData& data : map->entries()) {
    keys.push_back(TextOf(data.key));
  }
  return keys;
}

// Something with a buffer that keeps the bytes alive. Python's own types have nothing of the kind
// for memory of another library, but a class may say how its buffer is made.
struct PyConstant {
  Buffer buffer;
};

int FillBuffer(PyObject* self, Py_buffer* view, int flags) {
  const PyConstant& constant = *nb::inst_ptr<PyConstant>(self);
  const Bytes bytes = constant.buffer.bytes;
  // Read-only: nobody writes what is const here.
  return PyBuffer_FillInfo(view, self, const_cast<uint8_t*>(bytes.data()),
                           static_cast<Py_ssize_t>(bytes.size()), 1, flags);
}

PyType_Slot constant_slots[] = {{Py_bf_getbuffer, reinterpret_cast<void*>(FillBuffer)},
                                {0, nullptr}};

nb::object BytesOf(const PyNamedData& self, const std::string& key) {
  const Ref<NamedDataMap> map = self.handle.Get();
  const NamedData* data = map->Find(key);
  if (data == nullptr) throw nb::key_error(key.c_str());
  const nb::object constant = nb::cast(PyConstant{ValueOrThrow(data->Load())});
  return nb::steal(PyMemoryView_FromObject(constant.ptr()));
}

nb::str Show(const PyNamedData& self) {
  if (self.handle.is_closed()) return nb::str("<onepack.NamedData, closed>");
  return TextOf(std::string("<onepack.NamedData '") + self.handle.Get()->names() + "'>");
}

}  // namespace

void BindNamedData(nb::module_& module) {
  nb::class_<PyConstant>(module, "_Constant", nb::type_slots(constant_slots),
                         "What a memoryview of a constant is of.");
  nb::class_<PyNamedData> bound(module, "NamedData", kAbout);
  bound
      .def(
          "__init__",
          [](PyNamedData* self, const nb::object& path) {
            new (self) PyNamedData{{"data", OpenFile(PathOf(path))}};
          },
          "path"_a, nb::sig("def __init__(self, path: str | bytes | os.PathLike[str]) -> None"))
      .def_static(
          "from_buffer",
          [](const nb::object& buffer, const std::string& name) {
            return PyNamedData{{"data", Open(OpenBuffer(buffer, name.c_str()))}};
          },
          "buffer"_a, "name"_a = "(buffer)",
          nb::sig("def from_buffer(buffer: typing_extensions.Buffer, name: str = '(buffer)') "
                  "-> NamedData"),
          "As Program.from_buffer.")
      .def_static("merge", Merge, "maps"_a,
                  nb::sig("def merge(maps: collections.abc.Iterable[NamedData]) -> NamedData"),
                  "All keys of all of them. Raises Error with MISMATCH for a key that stands for "
                  "different bytes in two of them.")
      .def_prop_ro(
          "name", [](const PyNamedData& self) { return TextOf(self.handle.Get()->names()); },
          "The file or files, as messages call them.")
      .def("keys", Keys, nb::sig("def keys(self) -> list[str]"), "In alphabetical order.")
      .def("__len__", [](const PyNamedData& self) { return self.handle.Get()->entries().size(); })
      .def(
          "__contains__",
          [](const PyNamedData& self, const nb::object& key) {
            const Ref<NamedDataMap> map = self.handle.Get();
            std::string name;
            return nb::try_cast(key, name) && map->Find(name) != nullptr;
          },
          "key"_a.none())
      .def(
          "__iter__",
          [](const PyNamedData& self) { return nb::object(nb::iter(nb::cast(Keys(self)))); },
          nb::sig("def __iter__(self) -> collections.abc.Iterator[str]"))
      .def("__getitem__", BytesOf, "key"_a,
           nb::sig("def __getitem__(self, key: str) -> memoryview"))
      .def("__repr__", Show);
  BindClosing(bound);
}

}  // namespace onepack::python
