// The base of onepack.LanguageModel

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>
#include <string.h>

#include <deque>
#include <memory>
#include <vector>

#include "onepack/context_file.h"
#include "python/bindings/bind.h"
#include "python/bindings/call_scope.h"
#include "python/bindings/data_argument.h"
#include "python/bindings/generation.h"
#include "python/bindings/handles.h"
#include "python/bindings/path.h"
#include "python/bindings/text.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace onepack::python {
namespace {

struct PySavedContext {
  SavedContext saved;
};

void Make(PyLanguageModel* self, const PyProgram& program, const PyBackend& backend,
          const nb::object& data, const std::string& method, uint64_t max_planned_bytes,
          const nb::object& on_progress) {
  const auto loaded = std::make_shared<LoadedModel>();
  loaded->engine = backend.handle.Get();
  MethodOptions options = loaded->engine->LoadOptions();
  options.named_data = MergedData(data);
  options.max_planned_bytes = max_planned_bytes;
  const Ref<Program> from = program.handle.Get();
  CallScope scope(on_progress);
  Result<std::unique_ptr<LanguageModel>> model = [&] {
    const nb::gil_scoped_release release;
    return LanguageModel::Load(from, options, method);
  }();
  scope.Finish();
  loaded->model = ValueOrThrow(std::move(model));
  new (self) PyLanguageModel{{"model", loaded}};
}

// Calls `work` with the model, without the GIL, while no other thread is in it.
template <typename Work>
auto Alone(const PyLanguageModel& self, const Work& work) {
  const InUse<LoadedModel> loaded(self.handle.Get());
  const Turn::Claim claim(loaded->turn, "model");
  const nb::gil_scoped_release release;
  return work(*loaded->model);
}

using Logits = nb::ndarray<nb::numpy, float, nb::ndim<1>>;

Logits Append(const PyLanguageModel& self, const nb::object& given, size_t chunk) {
  const std::vector<int64_t> tokens = TokensOf(given);
  std::unique_ptr<float[]> copy;
  size_t size = 0;
  Alone(self, [&](LanguageModel& model) {
    const Span<const float> logits = ValueOrThrow(model.Append(tokens, chunk));
    size = logits.size();
    copy = std::make_unique<float[]>(size);
    memcpy(copy.get(), logits.data(), size * sizeof(float));
  });
  float* data = copy.get();
  const nb::capsule owner(data,
                          [](void* memory) noexcept { delete[] static_cast<float*>(memory); });
  static_cast<void>(copy.release());
  return Logits(data, {size}, owner);
}

void Generate(const PyLanguageModel& self, const nb::object& request, const nb::object& on_token,
              const CancelFlag& cancel, const nb::object& keep) {
  const InUse<LoadedModel> loaded(self.handle.Get());
  const Turn::Claim claim(loaded->turn, "model", &cancel);
  GenerateArguments arguments = ArgumentsOf(request);
  CallScope scope;
  Connect(arguments.options, scope, on_token, cancel);
  Result<GenerateResult> result = [&] {
    const nb::gil_scoped_release release;
    return onepack::Generate(*loaded->model, arguments.prompt, arguments.options);
  }();
  Finish(scope, std::move(result), keep);
}

nb::object Info(const PyLanguageModel& self) {
  const InUse<LoadedModel> loaded(self.handle.Get());
  const ModelInfo& info = loaded->model->info();
  return nb::module_::import_("onepack.records")
      .attr("ModelInfo")(
          "max_seq_len"_a = info.max_seq_len, "max_context_len"_a = info.max_context_len,
          "vocab_size"_a = info.vocab_size, "bos_id"_a = info.bos_id,
          "eos_ids"_a = nb::tuple(nb::cast(info.eos_ids)), "use_kv_cache"_a = info.use_kv_cache,
          "ignored"_a = nb::tuple(nb::cast(info.ignored)));
}

std::vector<int64_t> Context(const PyLanguageModel& self) {
  const InUse<LoadedModel> loaded(self.handle.Get());
  loaded->turn.AwaitOursOrFree("model");
  return loaded->model->context();
}

void SaveFile(const PyLanguageModel& self, const nb::object& path) {
  const std::string name = PathOf(path);
  Alone(self,
        [&](LanguageModel& model) { ThrowIfError(SaveContextFile(model, name.c_str()), name); });
}

void LoadFile(const PyLanguageModel& self, const nb::object& path) {
  const std::string name = PathOf(path);
  Alone(self,
        [&](LanguageModel& model) { ThrowIfError(LoadContextFile(model, name.c_str()), name); });
}

// Of the object's own class, which has more in Python.
nb::object Fork(const nb::handle_t<PyLanguageModel>& self) {
  const PyLanguageModel& from = *nb::inst_ptr<PyLanguageModel>(self);
  const InUse<LoadedModel> loaded(from.handle.Get());
  const auto forked = std::make_shared<LoadedModel>();
  forked->engine = loaded->engine;
  forked->model = Alone(from, [](LanguageModel& model) { return ValueOrThrow(model.Fork()); });
  nb::object object = nb::inst_alloc(self.type());
  new (nb::inst_ptr<PyLanguageModel>(object)) PyLanguageModel{{"model", forked}};
  nb::inst_mark_ready(object);
  return object;
}

size_t ContextBytes(const nb::iterable& models) {
  std::deque<InUse<LoadedModel>> loaded;  // whose elements stay where they are
  std::vector<const LanguageModel*> pointers;
  for (const nb::handle model : models) {
    const PyLanguageModel* given = nullptr;
    if (!nb::try_cast(model, given) || given == nullptr) {
      const std::string type = nb::cast<std::string>(nb::str(nb::type_name(model.type())));
      throw nb::type_error(("context_bytes takes LanguageModels, not " + type).c_str());
    }
    loaded.emplace_back(given->handle.Get());
    pointers.push_back(loaded.back()->model.get());
  }
  const nb::gil_scoped_release release;
  return ValueOrThrow(LanguageModel::ContextBytes(pointers));
}

void BindContext(nb::class_<PyLanguageModel>& bound) {
  bound
      .def_prop_ro("context", Context, nb::sig("def context(self) -> list[int]"),
                   "The tokens that were read since the last reset.")
      .def("append", Append, "tokens"_a, "chunk"_a = 0,
           nb::sig("def append(self, tokens: collections.abc.Iterable[int], chunk: int = 0) "
                   "-> numpy.typing.NDArray[numpy.float32]"),
           "Reads tokens after what is in the context. Returns the logits of what comes next: "
           "float32, [vocabulary], an array of its own. ``chunk``: tokens of one call of the "
           "program; 0: as many as it takes. Raises InvalidArgumentError for no tokens, one "
           "outside the vocabulary, or more than there is room for.")
      .def(
          "reset",
          [](const PyLanguageModel& self) {
            Alone(self, [](LanguageModel& model) { ThrowIfError(model.Reset()); });
          },
          "Forgets the context.")
      .def(
          "rewind",
          [](const PyLanguageModel& self, size_t count) {
            Alone(self, [&](LanguageModel& model) { ThrowIfError(model.Rewind(count)); });
          },
          "count"_a,
          "Forgets all but the first ``count`` tokens. Raises InvalidArgumentError for more than "
          "there are, Error with UNSUPPORTED for a state that is not addressed by position.")
      .def(
          "fork", Fork, nb::sig("def fork(self) -> typing_extensions.Self"),
          "Another model that goes on from the context by itself, in any thread; each is closed by "
          "itself. Both share the memory of the context until one of them writes to it. The first "
          "fork since the model read something copies that once, further ones copy nothing. Raises "
          "OutOfMemoryError; Error with UNSUPPORTED where the system or a backend cannot fork, "
          "with "
          "FAILED_PRECONDITION while the model is in use.")
      .def(
          "save",
          [](const PyLanguageModel& self) -> PySavedContext {
            return Alone(self, [](LanguageModel& model) {
              return PySavedContext{ValueOrThrow(model.Save())};
            });
          },
          nb::sig("def save(self) -> SavedContext"),
          "A copy of the context, to go back to with restore().")
      .def(
          "restore",
          [](const PyLanguageModel& self, const PySavedContext& saved) {
            Alone(self, [&](LanguageModel& model) { ThrowIfError(model.Restore(saved.saved)); });
          },
          "saved"_a,
          "The context becomes what was saved. Raises InvalidArgumentError for one of another "
          "program or method.")
      .def("save_file", SaveFile, "path"_a,
           nb::sig("def save_file(self, path: str | bytes | os.PathLike[str]) -> None"),
           "Writes the context to a file, for the same model in another process. It appears whole "
           "or not at all. Reads every byte of the model's files the first time.")
      .def("load_file", LoadFile, "path"_a,
           nb::sig("def load_file(self, path: str | bytes | os.PathLike[str]) -> None"),
           "The context becomes what save_file() wrote. Raises FileNotFoundError, "
           "InvalidFileError; Error with MISMATCH for the context of another model.");
}

}  // namespace

void BindLanguageModel(nb::module_& module) {
  BindGeneration(module);
  nb::class_<PySavedContext>(module, "SavedContext", "A context that was read once. Never changes.")
      .def_prop_ro(
          "tokens", [](const PySavedContext& self) { return self.saved.tokens; },
          nb::sig("def tokens(self) -> list[int]"))
      .def_prop_ro("size_bytes",
                   [](const PySavedContext& self) { return self.saved.state->size_bytes(); });
  nb::class_<PyLanguageModel> bound(module, "LanguageModel");
  bound
      .def("__init__", Make, "program"_a, nb::kw_only(), "backend"_a, "data"_a = nb::none(),
           "method"_a = "", "max_planned_bytes"_a = 0, "on_progress"_a = nb::none(),
           nb::sig("def __init__(self, program: Program, *, backend: Backend, "
                   "data: NamedData | collections.abc.Iterable[NamedData] | None = None, "
                   "method: str = '', max_planned_bytes: int = 0, "
                   "on_progress: collections.abc.Callable[[onepack.records.LoadProgress], object] "
                   "| None = None) -> None"))
      .def("_generate", Generate, "request"_a, "on_token"_a.none(), "cancel"_a, "keep"_a,
           nb::sig("def _generate(self, request: onepack.generation.Request, "
                   "on_token: collections.abc.Callable[[int], object] | None, "
                   "cancel: _CancelFlag, "
                   "keep: collections.abc.Callable[[onepack.records.GenerateResult], None]) "
                   "-> None"))
      .def_prop_ro("info", Info, nb::sig("def info(self) -> onepack.records.ModelInfo"),
                   "What the program says of itself.")
      .def_prop_ro(
          "name",
          [](const PyLanguageModel& self) { return TextOf(self.handle.Get()->model->name()); },
          "The program's file, as messages call it.")
      .def_prop_ro(
          "max_chunk",
          [](const PyLanguageModel& self) { return self.handle.Get()->model->max_chunk(); },
          "The most tokens that one call of the program takes.")
      .def_prop_ro(
          "max_context",
          [](const PyLanguageModel& self) { return self.handle.Get()->model->max_context(); },
          "How many tokens a context may have.")
      .def(
          "chunk_for",
          [](const PyLanguageModel& self, size_t asked) {
            return self.handle.Get()->model->ChunkFor(asked);
          },
          "asked"_a,
          "The tokens of each call of the program where ``asked`` is given as ``chunk``: a context "
          "is the same, bit for bit, whether it was read at one go or in parts that end at "
          "multiples of this. Without a KV cache ``max_context``.");
  BindContext(bound);
  BindClosing(bound);
  module.def(
      "context_bytes", ContextBytes, "models"_a,
      nb::sig("def context_bytes(models: collections.abc.Iterable[LanguageModel]) -> int"),
      "What the contexts of models take in memory, with what is left of their last runs. Pages "
      "that forks share count once: so much goes back to the system when all of these are "
      "closed or reset, and no other one shares them. Raises Error with FAILED_PRECONDITION "
      "while one of them is in use.");
}

}  // namespace onepack::python
