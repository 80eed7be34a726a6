#include "runtime/shared_copy.h"

#include <pthread.h>
#include <string.h>

#include <mutex>
#include <new>

#include "base/fork_safe_mutex.h"

namespace onepack {
namespace {

// Never destroyed: copies may outlive any object with static storage.
ForkSafeMutex& ListMutex() {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  alignas(ForkSafeMutex) static unsigned char memory[sizeof(ForkSafeMutex)];
  pthread_once(&once, [] { new (memory) ForkSafeMutex(); });
  return *std::launder(reinterpret_cast<ForkSafeMutex*>(memory));
}

SharedCopy* first_copy = nullptr;  // guarded by it

bool IsSameAllocator(const Allocator& a, const Allocator& b) {
  return a.allocate == b.allocate && a.deallocate == b.deallocate && a.context == b.context;
}

bool AreEqual(Bytes a, Bytes b) {
  return a.size() == b.size() && (a.empty() || memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace

Result<Ref<const SharedCopy>> SharedCopy::Of(Bytes bytes, const Allocator& allocator) {
  {
    const std::lock_guard lock(ListMutex());
    Ref<const SharedCopy> known = Find(bytes, allocator);
    if (known) return known;
  }
  ONEPACK_ASSIGN_OR_RETURN(Ref<AlignedCopy> bytes_copy, AlignedCopy::Of(bytes, allocator));
  ONEPACK_ASSIGN_OR_RETURN(Ref<SharedCopy> copy,
                           MakeRef<SharedCopy>(allocator, std::move(bytes_copy), allocator));
  const std::lock_guard lock(ListMutex());
  // Of the copy, not of the file, which may have changed.
  Ref<const SharedCopy> known = Find(copy->bytes(), allocator);  // another thread was faster
  if (known) return known;
  copy->Enlist();
  return Ref<const SharedCopy>(copy);
}

SharedCopy::~SharedCopy() {
  if (!is_listed_) return;
  const std::lock_guard lock(ListMutex());
  (previous_ != nullptr ? previous_->next_ : first_copy) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
}

Ref<const SharedCopy> SharedCopy::Find(Bytes bytes, const Allocator& allocator) {
  for (const SharedCopy* copy = first_copy; copy != nullptr; copy = copy->next_) {
    if (!AreEqual(copy->bytes(), bytes) || !IsSameAllocator(copy->allocator_, allocator)) continue;
    Ref<const SharedCopy> shared = Ref<const SharedCopy>::ShareIfOwned(copy);
    if (shared) return shared;  // else its destructor waits for the mutex
  }
  return nullptr;
}

void SharedCopy::Enlist() {
  is_listed_ = true;
  next_ = first_copy;
  if (next_ != nullptr) next_->previous_ = this;
  first_copy = this;
}

}  // namespace onepack
