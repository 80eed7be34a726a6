// Shared ownership without the C++ standard library: an intrusive count and the pointer that keeps
// it.

#ifndef ONEPACK_REF_H_
#define ONEPACK_REF_H_

#include <stddef.h>

#include <atomic>
#include <new>
#include <utility>

#include "onepack/allocator.h"
#include "onepack/result.h"

namespace onepack {

template <typename T>
class Ref;
template <typename T, typename... Arguments>
Result<Ref<T>> MakeRef(const Allocator& allocator, Arguments&&... arguments);

// Base of objects made by MakeRef; destroyed with the last Ref.
// Threads: Refs to one object may be copied and dropped from any thread.
class RefCounted {
 public:
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;

  // A virtual destructor makes the compiler emit a call of operator delete. This one keeps that
  // call inside the class: the memory goes back to the allocator, in Release.
  static void operator delete(void* /*pointer*/) {}

 protected:
  RefCounted() = default;
  virtual ~RefCounted() = default;

 private:
  template <typename U>
  friend class Ref;
  template <typename T, typename... Arguments>
  friend Result<Ref<T>> MakeRef(const Allocator& allocator, Arguments&&... arguments);

  void Retain() const { count_.fetch_add(1, std::memory_order_relaxed); }
  bool RetainIfOwned() const {
    size_t count = count_.load(std::memory_order_relaxed);
    while (count != 0) {
      if (count_.compare_exchange_weak(count, count + 1, std::memory_order_relaxed)) return true;
    }
    return false;
  }
  void Release() const {
    if (count_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    const Allocator allocator = allocator_;
    void* memory = memory_;
    const size_t size = size_;
    this->~RefCounted();
    allocator.Deallocate(memory, size);
  }

  mutable std::atomic<size_t> count_{1};
  Allocator allocator_{};
  void* memory_ = nullptr;
  size_t size_ = 0;
};

template <typename T>
class Ref {
 public:
  Ref() = default;
  Ref(std::nullptr_t) {}  // NOLINT: null is a Ref of any type
  Ref(const Ref& other) : pointer_(other.pointer_) { RetainIfSet(); }
  Ref(Ref&& other) noexcept : pointer_(other.pointer_) { other.pointer_ = nullptr; }
  template <typename Derived, typename = std::enable_if_t<std::is_convertible_v<Derived*, T*>>>
  Ref(const Ref<Derived>& other) : pointer_(other.get()) {  // NOLINT: as pointers convert
    RetainIfSet();
  }
  Ref& operator=(Ref other) noexcept {
    std::swap(pointer_, other.pointer_);
    return *this;
  }
  ~Ref() {
    if (pointer_ != nullptr) static_cast<const RefCounted*>(pointer_)->Release();
  }

  T* get() const { return pointer_; }
  T* operator->() const { return pointer_; }
  T& operator*() const { return *pointer_; }
  explicit operator bool() const { return pointer_ != nullptr; }

  // One more owner of an object that already has one.
  static Ref Share(T* pointer) {
    Ref ref;
    ref.pointer_ = pointer;
    ref.RetainIfSet();
    return ref;
  }
  // The same of an object that may have none any more: then null. REQUIRES: not null, and its
  // destructor cannot have ended, because it waits for a mutex that the caller has for instance.
  static Ref ShareIfOwned(T* pointer) {
    Ref ref;
    if (static_cast<const RefCounted*>(pointer)->RetainIfOwned()) ref.pointer_ = pointer;
    return ref;
  }

 private:
  template <typename U, typename... Arguments>
  friend Result<Ref<U>> MakeRef(const Allocator& allocator, Arguments&&... arguments);

  void RetainIfSet() const {
    if (pointer_ != nullptr) static_cast<const RefCounted*>(pointer_)->Retain();
  }

  T* pointer_ = nullptr;
};

template <typename T, typename... Arguments>
Result<Ref<T>> MakeRef(const Allocator& allocator, Arguments&&... arguments) {
  void* memory = allocator.Allocate(sizeof(T), alignof(T));
  if (memory == nullptr) {
    return Status::Error(StatusCode::kResourceExhausted, "out of memory for an object of %zu bytes",
                         sizeof(T));
  }
  Ref<T> ref;
  ref.pointer_ = new (memory) T(std::forward<Arguments>(arguments)...);
  RefCounted* base = ref.pointer_;
  base->allocator_ = allocator;
  base->memory_ = memory;
  base->size_ = sizeof(T);
  return ref;
}

}  // namespace onepack

#endif  // ONEPACK_REF_H_
