// onepack as one of the peers.

#include <stdexcept>
#include <utility>

#include "bench/peer/engine.h"
#include "runtime/method.h"
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

  float Run(size_t rows) override {
    const int32_t sizes[] = {static_cast<int32_t>(rows), method_->input(0).tensor().bounds()[1]};
    const uint8_t dim_order[] = {0, 1};
    ones_.assign(rows * static_cast<size_t>(sizes[1]), 1.0f);
    Tensor input = Check(
        Tensor::Over({ScalarType::kFloat, sizes, dim_order},
                     {reinterpret_cast<uint8_t*>(ones_.data()), ones_.size() * sizeof(float)}));
    Check(method_->SetInput(0, Value::OfTensor(&input)));
    Check(method_->Execute());
    return *reinterpret_cast<const float*>(method_->output(0).tensor().data());
  }

 private:
  const Ref<Method> method_;
  std::vector<float> ones_;
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

 private:
  const std::unique_ptr<ProgramLoader> loader_;
};

}  // namespace

std::unique_ptr<Engine> CreateEngine(const EngineOptions& options) {
  ProgramLoaderOptions loader_options;
  loader_options.share_packed_weights = options.share;
  loader_options.packing_threads = options.packing_threads;
  return std::make_unique<OnepackEngine>(loader_options);
}

}  // namespace onepack::bench
