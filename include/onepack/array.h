// A run of elements allocated once, with a size that never changes.

#ifndef ONEPACK_ARRAY_H_
#define ONEPACK_ARRAY_H_

#include <assert.h>
#include <stddef.h>

#include <new>
#include <utility>

#include "onepack/allocator.h"
#include "onepack/result.h"

namespace onepack {

// Ownership: move-only; destroys its elements and returns the memory to the allocator.
template <typename T>
class Array {
 public:
  Array() = default;
  Array(Array&& other) noexcept { Swap(other); }
  Array& operator=(Array&& other) noexcept {
    Array(std::move(other)).Swap(*this);
    return *this;
  }
  ~Array() {
    if (data_ == nullptr) return;
    for (size_t i = 0; i < size_; ++i) data_[i].~T();
    allocator_.Deallocate(data_, size_ * sizeof(T));
  }

  // `size` value-initialized elements.
  static Result<Array> Create(const Allocator& allocator, size_t size) {
    Array array;
    if (size == 0) return array;
    size_t bytes;
    void* memory = __builtin_mul_overflow(size, sizeof(T), &bytes)
                       ? nullptr
                       : allocator.Allocate(bytes, alignof(T));
    if (memory == nullptr) {
      return Status::Error(StatusCode::kResourceExhausted,
                           "out of memory for %zu elements of %zu bytes", size, sizeof(T));
    }
    array.allocator_ = allocator;
    array.data_ = static_cast<T*>(memory);
    array.size_ = size;
    for (size_t i = 0; i < size; ++i) new (array.data_ + i) T();
    return array;
  }

  static Result<Array> CopyOf(const Allocator& allocator, const Array& from) {
    auto copy = Create(allocator, from.size());
    for (size_t i = 0; copy.ok() && i < from.size(); ++i) (*copy)[i] = from[i];
    return copy;
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& operator[](size_t index) {
    assert(index < size_);
    return data_[index];
  }
  const T& operator[](size_t index) const {
    assert(index < size_);
    return data_[index];
  }

 private:
  void Swap(Array& other) noexcept {
    std::swap(allocator_, other.allocator_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  Allocator allocator_{};
  T* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace onepack

#endif  // ONEPACK_ARRAY_H_
