// onepack as one of the peers.

#include <stdexcept>
#include <utility>

#include "bench/peer/engine.h"
#include "onepack/method.h"
#include "tools/program_loader.h"

namespace onepack::bench {
namespace {

template <typename T>
T Check(Result<T> result) {
  if (!result.ok()) throw std::runtime_error(result.status().message());
  return std::move(result).value();
}

void Check(const Status& status) {
  if (!status.ok()) throw std::runtime_error(status.message());
}

class OnepackProgram final : public LoadedProgram {
 public:
  explicit OnepackProgram(Ref<Method> method) : method_(std::move(method)) {}

  void Run(size_t rows, int64_t position) override {
    const Tensor& input = method_->input(0).tensor();
    const auto count = static_cast<int32_t>(rows);
    if (input.scalar_type() == ScalarType::kLong) {
      tokens_.assign(rows, 1);
      position_ = position;
      SetInput(0, {1, count}, tokens_.data(), ScalarType::kLong);
      SetInput(1, {1}, &position_, ScalarType::kLong);
    } else {
      const int32_t width = input.bounds()[1];
      ones_.assign(rows * static_cast<size_t>(width), 1.0f);
      SetInput(0, {count, width}, ones_.data(), ScalarType::kFloat);
    }
    Check(method_->Execute());
  }

  float FirstOutput() override {
    return *reinterpret_cast<const float*>(method_->output(0).tensor().data());
  }

 private:
  void SetInput(size_t index, const std::vector<int32_t>& sizes, void* data, ScalarType type) {
    const uint8_t order[] = {0, 1};
    size_t bytes = type == ScalarType::kLong ? sizeof(int64_t) : sizeof(float);
    for (const int32_t size : sizes) bytes *= static_cast<size_t>(size);
    Tensor tensor = Check(
        Tensor::Over({type, sizes, {order, sizes.size()}}, {static_cast<uint8_t*>(data), bytes}));
    Check(method_->SetInput(index, Value::OfTensor(&tensor)));
  }

  const Ref<Method> method_;
  std::vector<float> ones_;
  std::vector<int64_t> tokens_;
  int64_t position_ = 0;
};

class OnepackEngine final : public Engine {
 public:
  explicit OnepackEngine(const ProgramLoaderOptions& options)
      : loader_(Check(ProgramLoader::Create(options))) {}

  const char* name() const override { return "onepack"; }

  std::unique_ptr<LoadedProgram> Load(const ProgramFiles& files) override {
    return std::make_unique<OnepackProgram>(
        Check(loader_->Load(files.program, files.data, "forward")));
  }

  void CloseFile(const std::string& path) override { loader_->Forget(path); }

  std::map<std::string, uint64_t> CacheCounts() const override {
    if (loader_->weight_cache() == nullptr) return {};
    const WeightCacheStats stats = loader_->weight_cache()->Stats();
    return {{"entries", stats.entries},
            {"bytes", stats.bytes},
            {"in_place_bytes", stats.in_place_bytes},
            {"retained_bytes", stats.retained_bytes},
            {"hits", stats.hits},
            {"misses", stats.misses.total()},
            {"packed_bytes", stats.packed_bytes},
            {"locks", stats.lock_count},
            {"evictions", stats.evictions},
            {"file_entries", stats.file.entries},
            {"file_hits", stats.file.hits},
            {"file_misses", stats.file.misses.total()},
            {"file_hashed_bytes", stats.file.hashed_bytes}};
  }

 private:
  const std::unique_ptr<ProgramLoader> loader_;
};

}  // namespace

std::unique_ptr<Engine> CreateEngine(const EngineOptions& options) {
  ProgramLoaderOptions loader_options;
  loader_options.share_packed_weights = options.share;
  loader_options.packing_threads = options.packing_threads;
  loader_options.huge_pages = options.huge_pages;
  loader_options.threads = options.threads;
  loader_options.linears = options.linears;
  loader_options.retained_bytes = options.retained_bytes;
  loader_options.packed_file = options.packed_file;
  if (!options.checks_packed) loader_options.packed_checksums = ChecksumPolicy::kNever;
  return std::make_unique<OnepackEngine>(loader_options);
}

}  // namespace onepack::bench
