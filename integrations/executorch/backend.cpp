// ExecuTorch's "XnnpackBackend": an ExecuTorch backend over ours.

#include <algorithm>
#include <mutex>
#include <new>
#include <string>
#include <utility>

#include "base/fork_safe_mutex.h"
#include "integrations/executorch/backends.h"
#include "integrations/executorch/implementation.h"
#include "integrations/executorch/loaded_delegate.h"
#include "integrations/executorch/report_error.h"
#include "integrations/executorch/stats.h"
#include "integrations/executorch/xnnpack_library.h"

namespace onepack {
namespace {

et::Error ReportNoMemory(const char* while_what) {
  return ReportError(Status::Error(StatusCode::kResourceExhausted,
                                   "out of memory while %s a delegate", while_what));
}

class ExecutorchBackend final : public et::BackendInterface {
 public:
  bool is_available() const override { return true; }

  et::Result<et::DelegateHandle*> init(et::BackendInitContext& context,
                                       et::FreeableBuffer* processed,
                                       et::ArrayRef<et::CompileSpec> specs) const override try {
    auto loaded = Load(context, *processed, specs);
    if (!loaded.ok()) return ReportError(loaded.TakeStatus());
    return static_cast<et::DelegateHandle*>(std::move(loaded).value().release());
  } catch (const std::bad_alloc&) {
    return ReportNoMemory("loading");
  }

  et::Error execute(et::BackendExecutionContext& /*context*/, et::DelegateHandle* handle,
                    et::Span<et::EValue*> arguments) const override try {
    if (handle == nullptr) return et::Error::DelegateInvalidHandle;
    return ReportError(static_cast<LoadedDelegate*>(handle)->Execute(arguments));
  } catch (const std::bad_alloc&) {
    return ReportNoMemory("running");
  }

  void destroy(et::DelegateHandle* handle) const override {
    delete static_cast<LoadedDelegate*>(handle);
  }

  et::Error set_option(et::BackendOptionContext& /*context*/,
                       const et::Span<et::BackendOption>& options) override try {
    return ReportError(SetOptions(options));
  } catch (const std::bad_alloc&) {
    return ReportNoMemory("setting options of");
  }

  et::Error get_option(et::BackendOptionContext& /*context*/,
                       et::Span<et::BackendOption>& options) override {
    const std::lock_guard<ForkSafeMutex> lock(mutex_);
    for (et::BackendOption& option : options) options_.Get(option);
    return et::Error::Ok;
  }

  BackendStats Stats() { return backends_.Stats(); }

 private:
  Result<std::unique_ptr<LoadedDelegate>> Load(et::BackendInitContext& context,
                                               et::FreeableBuffer& processed,
                                               et::ArrayRef<et::CompileSpec> specs) const {
    LoadOptions options;
    {
      const std::lock_guard<ForkSafeMutex> lock(mutex_);
      options = options_;
    }
    for (const et::BackendOption& option : context.runtime_specs()) {
      ONEPACK_RETURN_IF_ERROR(options.Set(option));
      ONEPACK_ASSIGN_OR_RETURN(const bool asks, AsksToSave(option));
      if (asks) {
        return Status::Error(StatusCode::kInvalidArgument,
                             "backend option %s: for set_option, not for one load",
                             kSaveWeightCacheOnDisk);
      }
    }
    ONEPACK_ASSIGN_OR_RETURN(const Ref<Backend> backend, backends_.For(options));
    return LoadedDelegate::Load(context, processed, specs, *backend, files_);
  }

  // All of them, or none.
  Status SetOptions(et::Span<et::BackendOption> options) {
    bool saves = false;
    {
      const std::lock_guard<ForkSafeMutex> lock(mutex_);
      LoadOptions changed = options_;
      for (const et::BackendOption& option : options) {
        ONEPACK_RETURN_IF_ERROR(changed.Set(option));
        ONEPACK_ASSIGN_OR_RETURN(const bool asks, AsksToSave(option));
        saves |= asks;
      }
      options_ = std::move(changed);
    }
    return saves ? backends_.Flush() : Status::Ok();
  }

  mutable ForkSafeMutex mutex_;
  LoadOptions options_;  // guarded by it
  mutable Backends backends_;
  mutable MappedFiles files_;
};

ExecutorchBackend& TheBackend() {
  // Programs may be destroyed after static objects are.
  static ExecutorchBackend* const backend = new ExecutorchBackend();
  return *backend;
}

size_t StatsOfTheBackend(onepack_executorch_stat* stats, size_t capacity) try {
  const BackendStats all = TheBackend().Stats();
  if (stats != nullptr) std::copy_n(all.begin(), std::min(capacity, all.size()), stats);
  return all.size();
} catch (const std::bad_alloc&) {
  return 0;
}

}  // namespace
}  // namespace onepack

const onepack::ExecutorchImplementation* onepack_executorch_implementation(
    const char** message) try {
  // Never freed: the caller keeps both.
  static const onepack::Status* const status = new onepack::Status(onepack::CheckXnnpackLibrary());
  static const onepack::ExecutorchImplementation implementation{&onepack::TheBackend(),
                                                                &onepack::StatsOfTheBackend};
  if (status->ok()) return &implementation;
  *message = status->message();
  return nullptr;
} catch (const std::bad_alloc&) {
  *message = "out of memory";
  return nullptr;
}
