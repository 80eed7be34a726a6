// onepack.Method

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string_view>

#include "python/bindings/bind.h"
#include "python/bindings/call_scope.h"
#include "python/bindings/data_argument.h"
#include "python/bindings/handles.h"
#include "python/bindings/text.h"
#include "python/bindings/values.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace onepack::python {
namespace {

constexpr const char* kAbout =
    R"(A method of a program, loaded and ready to run: ``outputs = method(*inputs)``.

What it was loaded from may be closed afterwards.

Threads: belongs to one thread at a time, and tells one that comes while another is in it (Error
with FAILED_PRECONDITION). Different methods run in parallel; the GIL is released meanwhile.

State: what a run leaves behind for the next one, a KV cache for instance, is in the method.

Args:
    program: Where it is from.
    name: Of the method, as in ``program.method_names``.
    backend: What runs it.
    data: The data files that the program was separated from: one, several, or None.
    shared_state: For methods that have state together, of the same Program.
    max_planned_bytes: The most that the program may plan for. 0: the memory that the machine has.
    max_instructions_per_run: The limit for loops, which a damaged program may never leave.
    on_progress: Called with a LoadProgress after each weight, in this thread. Returning False, or
        raising, cancels the load; it may load other methods.

Raises:
    NotFoundError: There is no such method; a key or an operator is missing (all are named).
    CancelledError: ``on_progress`` has returned False.
    OutOfMemoryError: The program plans for more than it may.
    Error: MISMATCH for data of another type or size; UNSUPPORTED for what XNNPACK cannot do;
        FAILED_PRECONDITION for a method that shares its state and is given none to share.
)";

constexpr const char* kAboutCall =
    R"(Runs the method.

Args:
    inputs: One for each of ``method.inputs``. A tensor is a NumPy array, or whatever has DLPack or
        the buffer protocol, on the CPU: of the very dtype, and of a shape within the bounds. Its
        bytes are copied once, into the method's memory; an array that does not lie as the input
        does is copied once more. Lists and numbers stand for arrays of the dtype.
    copy: True: output arrays own their memory. False: they are read-only views of the method's,
        and keep it alive; the next run writes over them.

Returns:
    A tuple with each output: numpy.ndarray (bfloat16 as ml_dtypes has it), int, float, bool, str,
    None or a list of them.

Raises:
    TypeError: An input is something else, or there are more or fewer inputs.
    InvalidArgumentError: An input of another dtype or shape.
    Error: What the program's operators say; FAILED_PRECONDITION while another call is in it.

After an error the method can be used again; its state is as far as the run got.
)";

void Make(PyMethod* self, const PyProgram& program, const std::string& name,
          const PyBackend& backend, const nb::object& data, const PySharedState* shared_state,
          uint64_t max_planned_bytes, uint64_t max_instructions_per_run,
          const nb::object& on_progress) {
  const auto loaded = std::make_shared<LoadedMethod>();
  loaded->engine = backend.handle.Get();
  loaded->data = MergedData(data);
  MethodOptions options = loaded->engine->LoadOptions();
  options.named_data = loaded->data;
  if (shared_state != nullptr) options.shared_state = shared_state->handle.Get();
  options.max_planned_bytes = max_planned_bytes;
  options.max_instructions_per_run = max_instructions_per_run;
  const Ref<Program> from = program.handle.Get();
  CallScope scope(on_progress);
  Result<Ref<Method>> method = [&] {
    const nb::gil_scoped_release release;
    return Method::Load(from, name, options);
  }();
  scope.Finish();
  loaded->method = ValueOrThrow(std::move(method));
  new (self) PyMethod{{"method", loaded}};
}

Value AddInput(Arguments& arguments, size_t index, nb::handle object, const Value& wanted) {
  try {
    return arguments.Add(object, wanted);
  } catch (const StatusException& error) {
    throw StatusException(Status::Error(error.code(), "input %zu: %s", index, error.what()));
  } catch (const nb::builtin_exception& error) {
    const std::string message = "input " + std::to_string(index) + ": " + error.what();
    throw nb::builtin_exception(error.type(), message.c_str());
  } catch (nb::python_error& error) {
    for (PyObject* kind : {PyExc_TypeError, PyExc_ValueError, PyExc_OverflowError}) {
      if (!error.matches(kind)) continue;
      const nb::str message(error.value());
      nb::raise_from(error, kind, "input %zu: %s", index, message.c_str());
    }
    throw;
  }
}

// With the GIL released.
void Execute(Method& method, const std::vector<Value>& inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) ThrowIfError(method.SetInput(i, inputs[i]));
  ThrowIfError(method.Execute());
}

nb::object Run(const PyMethod& self, const nb::args& inputs, bool copy) {
  const InUse<LoadedMethod> loaded(self.handle.Get());
  const Turn::Claim claim(loaded->turn, "method");
  Method& method = *loaded->method;
  if (inputs.size() != method.input_count()) {
    throw nb::type_error((std::to_string(inputs.size()) + " inputs, where " +
                          std::to_string(method.input_count()) + " are expected")
                             .c_str());
  }
  Arguments arguments;
  std::vector<Value> values;
  for (size_t i = 0; i < inputs.size(); ++i) {
    values.push_back(AddInput(arguments, i, inputs[i], method.input(i)));
  }
  OutputCopies copies;
  {
    const nb::gil_scoped_release release;
    Execute(method, values);
    for (size_t i = 0; copy && i < method.output_count(); ++i) copies.Add(method.output(i));
  }
  nb::object owner;
  if (!copy) {
    owner = nb::capsule(new std::shared_ptr<LoadedMethod>(loaded.shared()),
                        [](void* reference) noexcept {
                          const nb::gil_scoped_release release;
                          delete static_cast<std::shared_ptr<LoadedMethod>*>(reference);
                        });
  }
  nb::list outputs;
  for (size_t i = 0; i < method.output_count(); ++i) {
    const Value& output = method.output(i);
    outputs.append(copy ? copies.Next(output) : ViewOf(output, owner));
  }
  return nb::tuple(outputs);
}

nb::object Describe(const Value& value) {
  nb::object dtype = nb::none();
  nb::object shape = nb::none();
  bool is_dynamic = false;
  if (value.is(ValueKind::kTensor) && !value.has_no_tensor()) {
    const Tensor& tensor = value.tensor();
    nb::list sizes;
    for (const int32_t size : tensor.bounds()) sizes.append(size);
    dtype = NumpyTypeOf(tensor.scalar_type());
    shape = nb::tuple(sizes);
    is_dynamic = tensor.is_dynamic();
  }
  return nb::module_::import_("onepack.records")
      .attr("ValueInfo")(ValueKindName(value.kind()), dtype, shape, is_dynamic);
}

// For tests: what a run would read.
uintptr_t AddressOfInput(const PyMethod& self, nb::handle object, size_t index) {
  const InUse<LoadedMethod> loaded(self.handle.Get());
  const Turn::Claim claim(loaded->turn, "method");
  if (index >= loaded->method->input_count()) throw nb::index_error("no such input");
  const Value& input = loaded->method->input(index);
  if (!input.is(ValueKind::kTensor) || input.has_no_tensor()) {
    throw nb::type_error("an input that is no tensor");
  }
  ArrayTensor array(object, input.tensor());
  return reinterpret_cast<uintptr_t>(array.tensor().data());
}

// `value_at`: Method::input or Method::output.
nb::tuple DescribeAll(const Method& method, size_t count,
                      const Value& (Method::*value_at)(size_t) const) {
  nb::list described;
  for (size_t i = 0; i < count; ++i) described.append(Describe((method.*value_at)(i)));
  return nb::tuple(described);
}

nb::tuple Inputs(const PyMethod& self) {
  const InUse<LoadedMethod> loaded(self.handle.Get());
  return DescribeAll(*loaded->method, loaded->method->input_count(), &Method::input);
}

nb::tuple Outputs(const PyMethod& self) {
  const InUse<LoadedMethod> loaded(self.handle.Get());
  return DescribeAll(*loaded->method, loaded->method->output_count(), &Method::output);
}

nb::object UsedKeys(const PyMethod& self) {
  const InUse<LoadedMethod> loaded(self.handle.Get());
  nb::list keys;
  if (!loaded->data) return keys;
  const Span<const NamedData> entries = loaded->data->entries();
  for (size_t i = 0; i < entries.size(); ++i) {
    if (loaded->method->UsesData(i)) {
      keys.append(TextOf(entries[i].key));
    }
  }
  return keys;
}

struct PyMethodState {
  Ref<MethodState> state;
};

void Reset(const PyMethod& self) {
  const InUse<LoadedMethod> loaded(self.handle.Get());
  const Turn::Claim claim(loaded->turn, "method");
  const nb::gil_scoped_release release;
  ThrowIfError(loaded->method->Reset());
}

PyMethodState SaveState(const PyMethod& self) {
  const InUse<LoadedMethod> loaded(self.handle.Get());
  const Turn::Claim claim(loaded->turn, "method");
  const nb::gil_scoped_release release;
  return {ValueOrThrow(loaded->method->SaveState())};
}

void RestoreState(const PyMethod& self, const PyMethodState& saved) {
  const InUse<LoadedMethod> loaded(self.handle.Get());
  const Turn::Claim claim(loaded->turn, "method");
  const nb::gil_scoped_release release;
  ThrowIfError(loaded->method->RestoreState(*saved.state));
}

nb::str Show(const PyMethod& self) {
  if (self.handle.is_closed()) return nb::str("<onepack.Method, closed>");
  return TextOf(std::string("<onepack.Method of '") + self.handle.Get()->method->program().name() +
                "'>");
}

}  // namespace

void BindMethod(nb::module_& module) {
  nb::class_<PyMethodState>(module, "MethodState",
                            "A saved copy of a method's mutable state. Never changes.")
      .def_prop_ro(
          "size_bytes", [](const PyMethodState& self) { return self.state->size_bytes(); },
          "What it takes: the part of the state that is not zero.");
  nb::class_<PyMethod> bound(module, "Method", kAbout);
  bound
      .def("__init__", Make, "program"_a, "name"_a = "forward", nb::kw_only(), "backend"_a,
           "data"_a = nb::none(), "shared_state"_a.none() = nb::none(), "max_planned_bytes"_a = 0,
           "max_instructions_per_run"_a = MethodOptions().max_instructions_per_run,
           "on_progress"_a = nb::none(),
           nb::sig("def __init__(self, program: Program, name: str = 'forward', *, "
                   "backend: Backend, "
                   "data: NamedData | collections.abc.Iterable[NamedData] | None = None, "
                   "shared_state: SharedState | None = None, max_planned_bytes: int = 0, "
                   "max_instructions_per_run: int = 1048576, "
                   "on_progress: collections.abc.Callable[[onepack.records.LoadProgress], object] "
                   "| None = None) -> None"))
      .def("__call__", Run, "inputs"_a, "copy"_a = true, kAboutCall,
           nb::sig("def __call__(self, *inputs: typing.Any, copy: bool = True) "
                   "-> tuple[typing.Any, ...]"))
      .def_prop_ro(
          "inputs", Inputs, nb::sig("def inputs(self) -> tuple[onepack.records.ValueInfo, ...]"),
          "What kind of value each input is; of tensors dtype and the bounds of the shape.")
      .def_prop_ro("outputs", Outputs,
                   nb::sig("def outputs(self) -> tuple[onepack.records.ValueInfo, ...]"),
                   "The same of each output.")
      .def("used_keys", UsedKeys, nb::sig("def used_keys(self) -> list[str]"),
           "Of ``data``: the keys that loading has asked for, in alphabetical order.")
      .def("_address_of_input", AddressOfInput, "array"_a, "index"_a = 0,
           "For tests: where the bytes are that a run would copy from.")
      .def("reset", Reset, "The state becomes what it was after loading.")
      .def("save_state", SaveState, "A copy of the state of now.")
      .def("restore_state", RestoreState, "state"_a,
           "The state becomes what was saved. Raises InvalidArgumentError for a state of another "
           "program or method; nothing has changed then.")
      .def("__repr__", Show);
  BindClosing(bound);
}

}  // namespace onepack::python
