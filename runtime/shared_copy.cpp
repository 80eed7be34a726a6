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

// REQUIRES: as many.
bool AreEqual(Bytes a, Bytes b) { return a.empty() || memcmp(a.data(), b.data(), a.size()) == 0; }

}  // namespace

Result<Ref<const SharedCopy>> SharedCopy::Of(Bytes bytes, const Allocator& allocator) {
  Ref<const SharedCopy> known = Find(bytes, allocator);
  if (known) return known;
  ONEPACK_ASSIGN_OR_RETURN(Ref<AlignedCopy> copy, AlignedCopy::Of(bytes, allocator));
  ONEPACK_ASSIGN_OR_RETURN(Ref<SharedCopy> shared,
                           MakeRef<SharedCopy>(allocator, std::move(copy), allocator));
  // Should another thread add the same meanwhile, there are two of them.
  const std::lock_guard lock(ListMutex());
  shared->Enlist();
  return Ref<const SharedCopy>(shared);
}

SharedCopy::~SharedCopy() {
  if (!is_listed_) return;
  const std::lock_guard lock(ListMutex());
  (previous_ != nullptr ? previous_->next_ : first_copy) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
}

// Compared without the mutex: the bytes may have to be read from a disk. The copy at hand stays in
// the list meanwhile, because it has an owner here.
Ref<const SharedCopy> SharedCopy::Find(Bytes bytes, const Allocator& allocator) {
  Ref<const SharedCopy> copy;
  do {
    Ref<const SharedCopy> next;
    {
      const std::lock_guard lock(ListMutex());
      next = After(copy.get(), bytes.size(), allocator);
    }
    copy = std::move(next);
  } while (copy && !AreEqual(copy->bytes(), bytes));
  return copy;
}

Ref<const SharedCopy> SharedCopy::After(const SharedCopy* previous, size_t size,
                                        const Allocator& allocator) {
  const SharedCopy* copy = previous == nullptr ? first_copy : previous->next_;
  for (; copy != nullptr; copy = copy->next_) {
    if (copy->bytes().size() != size || !IsSameAllocator(copy->allocator_, allocator)) continue;
    Ref<const SharedCopy> owned = Ref<const SharedCopy>::ShareIfOwned(copy);
    if (owned) return owned;  // else its destructor waits for the mutex
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
