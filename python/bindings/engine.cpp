#include "python/bindings/engine.h"

#include <utility>

#include "python/bindings/call_scope.h"
#include "python/bindings/errors.h"

namespace onepack::python {

std::shared_ptr<CacheWithTrouble> CacheWithTrouble::Create(WeightCacheOptions options) {
  std::shared_ptr<CacheWithTrouble> made(new CacheWithTrouble);
  made->trouble_ = std::make_shared<Trouble>();
  options.packed_file.on_trouble = [trouble = made->trouble_](const Status& status) {
    const std::lock_guard<std::mutex> lock(trouble->mutex);
    trouble->code = status.code();
    trouble->message = status.message();
  };
  made->cache_ = WeightCache::Create(options);
  return made;
}

Status CacheWithTrouble::trouble() const {
  const std::lock_guard<std::mutex> lock(trouble_->mutex);
  if (trouble_->code == StatusCode::kOk) return Status::Ok();
  return Status::Error(trouble_->code, "%s", trouble_->message.c_str());
}

std::shared_ptr<const Engine> Engine::Create(XnnpackBackendOptions options, size_t threads,
                                             uint64_t random_seed) {
  std::shared_ptr<Engine> engine(new Engine);
  if (threads == 0) {
    ThrowIfError(Status::Error(StatusCode::kInvalidArgument, "threads: at least one is needed"));
  }
  if (threads > 1) {
    engine->threads_.reset(pthreadpool_create(threads));
    if (engine->threads_ == nullptr) {
      ThrowIfError(
          Status::Error(StatusCode::kResourceExhausted, "cannot start %zu threads", threads));
    }
  }
  options.threadpool = engine->threads_.get();
  options.on_progress = CallScope::ReportProgress;
  CpuOperatorOptions operator_options;
  operator_options.threadpool = engine->threads_.get();
  operator_options.random_seed = random_seed;
  engine->operators_.emplace(ValueOrThrow(CpuOperators::Create(operator_options)));
  engine->backend_ = ValueOrThrow(CreateXnnpackBackend(options));
  return engine;
}

MethodOptions Engine::LoadOptions() const {
  MethodOptions options;
  options.backends = {&backend_, 1};
  options.operators = operators_->registry();
  return options;
}

}  // namespace onepack::python
