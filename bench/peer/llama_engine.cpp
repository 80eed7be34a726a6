// llama.cpp as one of the peers, through its own C API. A program is a GGUF file of a model and, as
// data, at most one of a LoRA adapter.

#include <ggml-backend.h>
#include <llama.h>

#include <map>
#include <mutex>
#include <stdexcept>

#include "bench/peer/engine.h"

namespace onepack::bench {
namespace {

constexpr uint32_t kContextTokens = 2048;

struct Deleter {
  void operator()(llama_model* model) const { llama_model_free(model); }
  void operator()(llama_context* context) const { llama_free(context); }
};
using ModelPtr = std::shared_ptr<llama_model>;
using ContextPtr = std::unique_ptr<llama_context, Deleter>;

// The context is made when it is first used: an adapter that is loaded has none.
class LlamaProgram final : public LoadedProgram {
 public:
  LlamaProgram(ModelPtr model, const ProgramFiles& files, int32_t threads)
      : model_(std::move(model)), threads_(threads) {
    if (files.data.empty()) return;
    if (files.data.size() > 1) throw std::runtime_error("one adapter per program");
    // The model frees it.
    adapter_ = llama_adapter_lora_init(model_.get(), files.data.front().c_str());
    if (adapter_ == nullptr) throw std::runtime_error("cannot load " + files.data.front());
  }

  void Run(size_t rows, int64_t position) override {
    if (context_ == nullptr) MakeContext();
    Rewind(position);
    tokens_.assign(rows, 1);
    const llama_batch batch = llama_batch_get_one(tokens_.data(), static_cast<int32_t>(rows));
    if (llama_decode(context_.get(), batch) != 0) throw std::runtime_error("llama_decode failed");
    first_output_ = llama_get_logits_ith(context_.get(), -1)[0];  // waits for them
  }

  float FirstOutput() override { return first_output_; }

 private:
  void MakeContext() {
    llama_context_params params = llama_context_default_params();
    params.n_ctx = kContextTokens;
    params.n_threads = threads_;
    params.n_threads_batch = threads_;
    context_.reset(llama_init_from_model(model_.get(), params));
    if (context_ == nullptr) throw std::runtime_error("cannot make a context");
    float scale = 1;
    if (adapter_ != nullptr && llama_set_adapters_lora(context_.get(), &adapter_, 1, &scale) != 0) {
      throw std::runtime_error("cannot set the adapter");
    }
  }

  void Rewind(int64_t position) {
    llama_memory_t memory = llama_get_memory(context_.get());
    const int64_t length = llama_memory_seq_pos_max(memory, 0) + 1;
    if (position > length) throw std::runtime_error("a context with a hole in it");
    if (position == length) return;
    if (!llama_memory_seq_rm(memory, 0, static_cast<llama_pos>(position), -1)) {
      throw std::runtime_error("cannot go back in the context");
    }
  }

  const ModelPtr model_;
  const int32_t threads_;
  llama_adapter_lora* adapter_ = nullptr;
  ContextPtr context_;
  std::vector<llama_token> tokens_;
  float first_output_ = 0;
};

class LlamaEngine final : public Engine {
 public:
  explicit LlamaEngine(size_t threads) : threads_(static_cast<int32_t>(threads)) {
    llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
    // Of those for several processors that the package has, ggml takes the best.
    ggml_backend_load_all_from_path(ONEPACK_GGML_BACKENDS);
    llama_backend_init();
  }

  const char* name() const override { return "llama"; }

  std::unique_ptr<LoadedProgram> Load(const ProgramFiles& files) override {
    return std::make_unique<LlamaProgram>(Model(files.program), files, threads_);
  }

 private:
  ModelPtr Model(const std::string& path) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ModelPtr& model = models_[path];
    if (model != nullptr) return model;
    model.reset(llama_model_load_from_file(path.c_str(), llama_model_default_params()), Deleter{});
    if (model == nullptr) throw std::runtime_error("cannot load " + path);
    return model;
  }

  const int32_t threads_;
  std::mutex mutex_;
  std::map<std::string, ModelPtr> models_;  // guarded by mutex_
};

}  // namespace

std::unique_ptr<Engine> CreateEngine(const EngineOptions& options) {
  return std::make_unique<LlamaEngine>(options.threads);
}

}  // namespace onepack::bench
