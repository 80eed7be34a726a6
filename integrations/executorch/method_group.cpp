#include "integrations/executorch/method_group.h"

namespace onepack {
namespace {

// What the delegates of one method have in common.
struct Load {
  const void* allocator = nullptr;
  const void* method_name = nullptr;
  const void* named_data = nullptr;
  const void* backend = nullptr;

  bool operator==(const Load& other) const {
    return allocator == other.allocator && method_name == other.method_name &&
           named_data == other.named_data && backend == other.backend;
  }
};

}  // namespace

std::unique_lock<std::mutex> MethodGroup::Claim() {
  if (ForkSafeMutex::forks() == forks_) return std::unique_lock<std::mutex>(mutex_);
  return std::unique_lock<std::mutex>(mutex_, std::try_to_lock);
}

Result<std::shared_ptr<MethodGroup>> MethodGroup::Of(et::BackendInitContext& context,
                                                     Backend& backend) {
  // Of this thread; not kept when the method is destroyed.
  static thread_local Load last;
  static thread_local std::weak_ptr<MethodGroup> last_group;
  const Load load{context.get_runtime_allocator(), context.get_method_name(),
                  context.get_named_data_map(), &backend};
  std::shared_ptr<MethodGroup> group = last_group.lock();
  if (group != nullptr && load == last) return group;
  ONEPACK_ASSIGN_OR_RETURN(Ref<BackendSession> session, backend.OpenSession());
  group = std::make_shared<MethodGroup>(std::move(session));
  last = load;
  last_group = group;
  return group;
}

}  // namespace onepack
