// Scales of ones, for weights that XNNPACK will find packed: it looks at the scales nevertheless.
//
// The head of a language model has millions of scales. Ones for it would be memory to fill for
// every program that shares the head; so one block of ones is mapped as often as it takes, and
// memory and caches see that block alone.

#ifndef ONEPACK_DELEGATE_XNN_ONES_H_
#define ONEPACK_DELEGATE_XNN_ONES_H_

#include <stddef.h>
#include <stdint.h>

#include <tuple>
#include <vector>

namespace onepack {

// Ones of type T: float, or uint16_t for bfloat16. They stay where they are when this is moved.
// Threads: immutable; any thread.
template <typename T>
class Ones {
 public:
  // At least `count` of them. May throw std::bad_alloc.
  explicit Ones(size_t count);
  Ones(Ones&& other) noexcept;
  Ones& operator=(Ones&& other) = delete;
  ~Ones();

  const T* data() const { return window_ != nullptr ? window_ : few_.data(); }
  size_t size() const { return count_; }

 private:
  std::vector<T> few_;
  const T* window_ = nullptr;  // null when they are in few_
  size_t count_;
};

// Ones for the graphs of one load. What was given out stays while this lives.
// Threads: one at a time.
class OnesStore {
 public:
  // At least `count`, of float or uint16_t. May throw std::bad_alloc.
  template <typename T>
  const T* Get(size_t count) {
    auto& ones = std::get<std::vector<Ones<T>>>(ones_);
    if (ones.empty() || ones.back().size() < count) ones.emplace_back(count);
    return ones.back().data();
  }

 private:
  std::tuple<std::vector<Ones<float>>, std::vector<Ones<uint16_t>>> ones_;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_XNN_ONES_H_
