#include "llm/adapter_pool.h"

#include <utility>

#include "base/printable.h"
#include "llm/no_throw.h"

namespace onepack {

Status AdapterPool::CheckIsFree(std::string_view name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (adapters_.find(name) == adapters_.end()) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument, "adapter '%s' is there already",
                       Printable(name).c_str());
}

Status AdapterPool::Add(std::string_view name, const Ref<Program>& program,
                        const Ref<NamedDataMap>& data) {
  return NoThrow([&]() -> Status {
    ONEPACK_RETURN_IF_ERROR(CheckIsFree(name));
    MethodOptions options = options_;
    if (data && options_.named_data) {
      const Ref<NamedDataMap> maps[] = {options_.named_data, data};
      ONEPACK_ASSIGN_OR_RETURN(options.named_data, NamedDataMap::Merge(maps));
    } else if (data) {
      options.named_data = data;
    }
    auto adapter = std::make_shared<Adapter>();
    ONEPACK_ASSIGN_OR_RETURN(adapter->model, LanguageModel::Load(program, options));
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (adapters_.emplace(name, adapter).second) return Status::Ok();
    }
    return CheckIsFree(name);  // another thread was faster
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

std::vector<std::string> AdapterPool::Names() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, adapter] : adapters_) names.push_back(name);
  return names;
}

Result<GenerateResult> AdapterPool::Generate(std::string_view name, Span<const int64_t> prompt,
                                             const GenerateOptions& options) {
  const std::shared_ptr<Adapter> adapter = Find(name);
  if (adapter == nullptr) return NotFound(name);
  const std::lock_guard<std::mutex> lock(adapter->mutex);
  ONEPACK_RETURN_IF_ERROR(adapter->model->Reset());
  return onepack::Generate(*adapter->model, prompt, options);
}

std::shared_ptr<AdapterPool::Adapter> AdapterPool::Find(std::string_view name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = adapters_.find(name);
  return found == adapters_.end() ? nullptr : found->second;
}

Status AdapterPool::NotFound(std::string_view name) const {
  return Status::Error(StatusCode::kNotFound, "no adapter '%s'", Printable(name).c_str());
}

}  // namespace onepack
