#include "onepack/adapter_pool.h"

#include <utility>

#include "base/printable.h"
#include "llm/no_throw.h"

namespace onepack {
namespace {

Status Taken(std::string_view name) {
  return Status::Error(StatusCode::kInvalidArgument, "adapter '%s' is there already",
                       Printable(name).c_str());
}

Status NotFound(std::string_view name) {
  return Status::Error(StatusCode::kNotFound, "no adapter '%s'", Printable(name).c_str());
}

}  // namespace

// An adapter's turn to answer, while this lives.
class AdapterPool::Request {
 public:
  Request() = default;
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  ~Request() {
    if (adapter_ == nullptr) return;
    --requests_of_this_thread_;
    const std::lock_guard<std::mutex> lock(adapter_->mutex);
    adapter_->is_busy = false;
    adapter_->is_idle.notify_one();
  }

  // Waits for it, unless this thread holds one of another adapter, for which another thread may
  // wait. False when it does not get it.
  bool Take(Adapter& adapter) {
    std::unique_lock<std::mutex> lock(adapter.mutex);
    if (adapter.is_busy && requests_of_this_thread_ > 0) return false;
    adapter.is_idle.wait(lock, [&] { return !adapter.is_busy; });
    adapter.is_busy = true;
    adapter_ = &adapter;
    ++requests_of_this_thread_;
    return true;
  }

 private:
  static thread_local size_t requests_of_this_thread_;

  Adapter* adapter_ = nullptr;
};

thread_local size_t AdapterPool::Request::requests_of_this_thread_ = 0;

Status AdapterPool::CheckIsFree(std::string_view name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return adapters_.find(name) == adapters_.end() ? Status::Ok() : Taken(name);
}

Status AdapterPool::Add(std::string_view name, const Ref<Program>& program,
                        const Ref<NamedDataMap>& data, std::string_view method) {
  return NoThrow([&]() -> Status {
    ONEPACK_RETURN_IF_ERROR(CheckIsFree(name));  // before anything is loaded
    MethodOptions options = options_;
    if (data && options_.named_data) {
      const Ref<NamedDataMap> maps[] = {options_.named_data, data};
      ONEPACK_ASSIGN_OR_RETURN(options.named_data, NamedDataMap::Merge(maps));
    } else if (data) {
      options.named_data = data;
    }
    auto adapter = std::make_shared<Adapter>();
    ONEPACK_ASSIGN_OR_RETURN(adapter->model, LanguageModel::Load(program, options, method));
    const std::lock_guard<std::mutex> lock(mutex_);
    // Another thread may have been faster, also where its adapter is dropped again by now.
    return adapters_.emplace(name, adapter).second ? Status::Ok() : Taken(name);
  });
}

Status AdapterPool::Drop(std::string_view name) {
  std::shared_ptr<Adapter> dropped;  // closed after the lock is released
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = adapters_.find(name);
  if (found == adapters_.end()) return NotFound(name);
  dropped = std::move(found->second);
  adapters_.erase(found);
  return Status::Ok();
}

Result<std::vector<std::string>> AdapterPool::Names() const {
  return NoThrow([&]() -> Result<std::vector<std::string>> {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<std::string> names;
    for (const auto& [name, adapter] : adapters_) names.push_back(name);
    return names;
  });
}

Result<GenerateResult> AdapterPool::Generate(std::string_view name, Span<const int64_t> prompt,
                                             const GenerateOptions& options) {
  const std::shared_ptr<Adapter> adapter = Find(name);
  if (adapter == nullptr) return NotFound(name);
  Request request;
  if (!request.Take(*adapter)) {
    return Status::Error(StatusCode::kFailedPrecondition,
                         "adapter '%s' is answering, and a callback of a request does not wait",
                         Printable(name).c_str());
  }
  LanguageModel& model = *adapter->model;
  if (!adapter->is_fresh) ONEPACK_RETURN_IF_ERROR(model.Reset());
  adapter->is_fresh = false;
  Result<GenerateResult> result = onepack::Generate(model, prompt, options);
  // Nobody goes on from here: an idle adapter has no context in memory. Where this fails, or a
  // callback has thrown, the next request does it.
  adapter->is_fresh = model.Reset().ok();
  return result;
}

std::shared_ptr<AdapterPool::Adapter> AdapterPool::Find(std::string_view name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = adapters_.find(name);
  return found == adapters_.end() ? nullptr : found->second;
}

}  // namespace onepack
