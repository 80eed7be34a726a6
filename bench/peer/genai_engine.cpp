// ONNX Runtime GenAI as one of the peers, through its own C API. A program is a folder with
// genai_config.json and, as data, at most one adapter (.onnx_adapter).

#include <stdint.h>

#include <map>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "bench/peer/engine.h"

// The wheel has these in its library, and no header of them.
extern "C" {
struct OgaResult;
struct OgaConfig;
struct OgaModel;
struct OgaGeneratorParams;
struct OgaGenerator;
struct OgaAdapters;
struct OgaTensor;
const char* OgaResultGetError(const OgaResult*);
OgaResult* OgaCreateConfig(const char* folder, OgaConfig**);
OgaResult* OgaConfigOverlay(OgaConfig*, const char* json);
void OgaDestroyConfig(OgaConfig*);
OgaResult* OgaCreateModelFromConfig(const OgaConfig*, OgaModel**);
void OgaDestroyModel(OgaModel*);
OgaResult* OgaCreateGeneratorParams(const OgaModel*, OgaGeneratorParams**);
OgaResult* OgaGeneratorParamsSetSearchNumber(OgaGeneratorParams*, const char* name, double value);
void OgaDestroyGeneratorParams(OgaGeneratorParams*);
OgaResult* OgaCreateGenerator(const OgaModel*, const OgaGeneratorParams*, OgaGenerator**);
OgaResult* OgaGenerator_AppendTokens(OgaGenerator*, const int32_t* tokens, size_t count);
OgaResult* OgaGenerator_RewindTo(OgaGenerator*, size_t length);
OgaResult* OgaGenerator_GetLogits(OgaGenerator*, OgaTensor**);
void OgaDestroyGenerator(OgaGenerator*);
OgaResult* OgaTensorGetData(OgaTensor*, void**);
void OgaDestroyTensor(OgaTensor*);
OgaResult* OgaCreateAdapters(const OgaModel*, OgaAdapters**);
OgaResult* OgaLoadAdapter(OgaAdapters*, const char* path, const char* name);
OgaResult* OgaSetActiveAdapter(OgaGenerator*, OgaAdapters*, const char* name);
void OgaDestroyAdapters(OgaAdapters*);
}

namespace onepack::bench {
namespace {

constexpr size_t kContextTokens = 2048;

void Check(OgaResult* result) {
  if (result != nullptr) throw std::runtime_error(OgaResultGetError(result));
}

struct Deleter {
  void operator()(OgaConfig* config) const { OgaDestroyConfig(config); }
  void operator()(OgaModel* model) const { OgaDestroyModel(model); }
  void operator()(OgaGeneratorParams* params) const { OgaDestroyGeneratorParams(params); }
  void operator()(OgaGenerator* generator) const { OgaDestroyGenerator(generator); }
  void operator()(OgaTensor* tensor) const { OgaDestroyTensor(tensor); }
  void operator()(OgaAdapters* adapters) const { OgaDestroyAdapters(adapters); }
};
template <typename T>
using Owned = std::unique_ptr<T, Deleter>;

// What `create` makes, given where to put it.
template <typename T, typename Create>
Owned<T> Make(const Create& create) {
  T* made = nullptr;
  Check(create(&made));
  return Owned<T>(made);
}

struct Model {
  Owned<OgaModel> model;
  Owned<OgaAdapters> adapters;  // refers to the model
};

// The generator, in which the context is, is made when it is first used: an adapter that is loaded
// has none.
class GenaiProgram final : public LoadedProgram {
 public:
  GenaiProgram(std::shared_ptr<Model> model, std::string adapter)
      : model_(std::move(model)), adapter_(std::move(adapter)) {}

  void Run(size_t rows, int64_t position) override {
    if (generator_ == nullptr) MakeGenerator();
    const auto wanted = static_cast<size_t>(position);
    if (wanted > length_) throw std::runtime_error("a context with a hole in it");
    if (wanted < length_) Check(OgaGenerator_RewindTo(generator_.get(), wanted));
    tokens_.assign(rows, 1);
    Check(OgaGenerator_AppendTokens(generator_.get(), tokens_.data(), rows));
    length_ = wanted + rows;
  }

  float FirstOutput() override {
    const auto logits = Make<OgaTensor>(
        [this](OgaTensor** made) { return OgaGenerator_GetLogits(generator_.get(), made); });
    void* data = nullptr;
    Check(OgaTensorGetData(logits.get(), &data));
    return *static_cast<const float*>(data);
  }

 private:
  void MakeGenerator() {
    const auto params = Make<OgaGeneratorParams>([this](OgaGeneratorParams** made) {
      return OgaCreateGeneratorParams(model_->model.get(), made);
    });
    Check(OgaGeneratorParamsSetSearchNumber(params.get(), "max_length", kContextTokens));
    generator_ = Make<OgaGenerator>([&](OgaGenerator** made) {
      return OgaCreateGenerator(model_->model.get(), params.get(), made);
    });
    if (adapter_.empty()) return;
    Check(OgaSetActiveAdapter(generator_.get(), model_->adapters.get(), adapter_.c_str()));
  }

  const std::shared_ptr<Model> model_;
  const std::string adapter_;  // empty: none
  Owned<OgaGenerator> generator_;
  std::vector<int32_t> tokens_;
  size_t length_ = 0;
};

class GenaiEngine final : public Engine {
 public:
  explicit GenaiEngine(size_t threads) : threads_(threads) {}

  const char* name() const override { return "genai"; }

  std::unique_ptr<LoadedProgram> Load(const ProgramFiles& files) override {
    if (files.data.size() > 1) throw std::runtime_error("one adapter per program");
    const std::lock_guard<std::mutex> lock(mutex_);
    std::shared_ptr<Model> model = OpenModel(files.program);
    std::string adapter;
    if (!files.data.empty()) adapter = LoadAdapter(*model, files.data.front());
    return std::make_unique<GenaiProgram>(std::move(model), std::move(adapter));
  }

 private:
  std::shared_ptr<Model> OpenModel(const std::string& folder) {
    std::shared_ptr<Model>& found = models_[folder];
    if (found != nullptr) return found;
    const auto config =
        Make<OgaConfig>([&](OgaConfig** made) { return OgaCreateConfig(folder.c_str(), made); });
    const std::string session =
        R"({"model": {"decoder": {"session_options": {"intra_op_num_threads": )" +
        std::to_string(threads_) + "}}}}";
    Check(OgaConfigOverlay(config.get(), session.c_str()));
    auto model = std::make_shared<Model>();
    model->model = Make<OgaModel>(
        [&](OgaModel** made) { return OgaCreateModelFromConfig(config.get(), made); });
    found = std::move(model);
    return found;
  }

  // The name that it is loaded under: another one each time.
  std::string LoadAdapter(Model& model, const std::string& path) {
    if (model.adapters == nullptr) {
      model.adapters = Make<OgaAdapters>(
          [&](OgaAdapters** made) { return OgaCreateAdapters(model.model.get(), made); });
    }
    const std::string name = "adapter" + std::to_string(adapters_++);
    Check(OgaLoadAdapter(model.adapters.get(), path.c_str(), name.c_str()));
    return name;
  }

  const size_t threads_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Model>> models_;  // guarded by mutex_
  size_t adapters_ = 0;                                   // guarded by mutex_
};

}  // namespace

std::unique_ptr<Engine> CreateEngine(const EngineOptions& options) {
  return std::make_unique<GenaiEngine>(options.threads);
}

}  // namespace onepack::bench
