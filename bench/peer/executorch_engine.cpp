// ExecuTorch as one of the peers, through its own C++ API.

#include <dlfcn.h>
#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>
#include <executorch/extension/threadpool/threadpool_guard.h>
#include <executorch/runtime/backend/backend_options_map.h>
#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/backend/options.h>
#include <executorch/runtime/platform/runtime.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bench/peer/engine.h"

// The wheel has these in its library, and no header of them.
namespace executorch::extension::threadpool {
class ThreadPool {
 public:
  bool _unsafe_reset_threadpool(uint32_t threads);
};
ThreadPool* get_threadpool();
}  // namespace executorch::extension::threadpool

namespace onepack::bench {
namespace {

// In each thread that loads or runs: without it, ExecuTorch's thread pool is used.
class PoolUse {
 public:
  explicit PoolUse(bool uses_pool) {
    if (!uses_pool) no_pool_.emplace();
  }

 private:
  std::optional<executorch::extension::threadpool::NoThreadPoolGuard> no_pool_;
};

using executorch::aten::ScalarType;
using executorch::extension::from_blob;
using executorch::extension::Module;
using executorch::extension::TensorPtr;
using executorch::runtime::Error;
using executorch::runtime::EValue;

void Check(Error error, const char* what) {
  if (error == Error::Ok) return;
  throw std::runtime_error(std::string(what) + ": ExecuTorch error " +
                           std::to_string(static_cast<int>(error)));
}

class ExecuTorchProgram final : public LoadedProgram {
 public:
  ExecuTorchProgram(const ProgramFiles& files, bool uses_pool, const std::string& packed_file)
      : module_(files.program, files.data, Module::LoadMode::Mmap), uses_pool_(uses_pool) {
    const PoolUse pool_use(uses_pool_);
    if (!packed_file.empty()) LoadOver(packed_file);
    Check(module_.load_forward(), files.program.c_str());
    if (!packed_file.empty()) SavePacked();
    const auto meta = module_.method_meta("forward");
    Check(meta.error(), "method_meta");
    const auto input = meta->input_tensor_meta(0);
    Check(input.error(), "input_tensor_meta");
    is_language_model_ = input->scalar_type() == ScalarType::Long;
    width_ = input->sizes()[1];
  }

  void Run(size_t rows, int64_t position) override {
    const PoolUse pool_use(uses_pool_);
    const auto count = static_cast<int32_t>(rows);
    std::vector<TensorPtr> inputs;  // own the tensors
    if (is_language_model_) {
      tokens_.assign(rows, 1);
      position_ = position;
      inputs.push_back(from_blob(tokens_.data(), {1, count}, ScalarType::Long));
      inputs.push_back(from_blob(&position_, {1}, ScalarType::Long));
    } else {
      ones_.assign(rows * static_cast<size_t>(width_), 1.0f);
      inputs.push_back(from_blob(ones_.data(), {count, width_}));
    }
    const std::vector<EValue> values(inputs.begin(), inputs.end());
    const auto outputs = module_.forward(values);
    Check(outputs.error(), "forward");
    first_output_ = outputs->at(0).toTensor().const_data_ptr<float>()[0];
  }

  float FirstOutput() override { return first_output_; }

 private:
  void LoadOver(const std::string& packed_file) {
    executorch::runtime::BackendOptions<2> options;
    Check(options.set_option("weight_cache_enabled", true), "weight_cache_enabled");
    Check(options.set_option("packed_cache_path", packed_file.c_str()), "packed_cache_path");
    executorch::runtime::LoadBackendOptionsMap backends;
    Check(backends.set_options("XnnpackBackend", options.view()), "set_options");
    Check(module_.load(backends), "load");
  }

  // Each time that it is set to true is an order.
  static void SavePacked() {
    executorch::runtime::BackendOptions<1> options;
    Check(options.set_option("save_weight_cache_on_disk", true), "save_weight_cache_on_disk");
    Check(executorch::runtime::set_option("XnnpackBackend", options.view()), "saving");
  }

  Module module_;
  const bool uses_pool_;
  bool is_language_model_ = false;
  int32_t width_ = 0;
  std::vector<float> ones_;
  std::vector<int64_t> tokens_;
  int64_t position_ = 0;
  float first_output_ = 0;
};

class ExecuTorchEngine final : public Engine {
 public:
  ExecuTorchEngine(bool share, size_t threads, std::string packed_file)
      : uses_pool_(threads > 1), packed_file_(std::move(packed_file)) {
    executorch::runtime::runtime_init();
    if (uses_pool_) {
      auto* pool = executorch::extension::threadpool::get_threadpool();
      if (!pool->_unsafe_reset_threadpool(static_cast<uint32_t>(threads))) {
        throw std::runtime_error("ExecuTorch has no pool of so many threads");
      }
    }
    executorch::runtime::BackendOptions<1> options;
    Check(options.set_option("weight_cache_enabled", share), "weight_cache_enabled");
    Check(executorch::runtime::set_option("XnnpackBackend", options.view()), "set_option");
  }

  // Whose backend it is: ours may have been put in place of ExecuTorch's own.
  const char* name() const override {
    return dlsym(RTLD_DEFAULT, "onepack_executorch_is_registered") != nullptr ? "inside"
                                                                              : "executorch";
  }

  std::unique_ptr<LoadedProgram> Load(const ProgramFiles& files) override {
    return std::make_unique<ExecuTorchProgram>(files, uses_pool_, packed_file_);
  }

 private:
  const bool uses_pool_;
  const std::string packed_file_;  // empty: none
};

}  // namespace

std::unique_ptr<Engine> CreateEngine(const EngineOptions& options) {
  if (options.packing_threads != 1) throw std::runtime_error("ExecuTorch packs on one thread");
  if (options.huge_pages) throw std::runtime_error("ExecuTorch has no option for huge pages");
  if (options.retained_bytes != 0) throw std::runtime_error("ExecuTorch keeps no unused weights");
  if (options.linears != LinearLayout::kAuto) {
    throw std::runtime_error("ExecuTorch packs all that XNNPACK runs");
  }
  return std::make_unique<ExecuTorchEngine>(options.share, options.threads, options.packed_file);
}

}  // namespace onepack::bench
