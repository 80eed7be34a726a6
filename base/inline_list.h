// A list of at most N elements that allocates nothing: the operands of a node, the dims of a value.

#ifndef ONEPACK_BASE_INLINE_LIST_H_
#define ONEPACK_BASE_INLINE_LIST_H_

#include <assert.h>
#include <stddef.h>

#include <initializer_list>
#include <type_traits>

namespace onepack {

template <typename T, size_t N>
class InlineList {
 public:
  static_assert(std::is_trivially_copyable_v<T>);

  InlineList() = default;
  // REQUIRES: at most N elements.
  InlineList(std::initializer_list<T> elements) {
    for (const T& element : elements) push_back(element);
  }

  // REQUIRES: size() < N.
  void push_back(const T& element) {
    assert(size_ < N);
    elements_[size_++] = element;
  }
  // The first that equals it, if there is one.
  void Erase(const T& element) {
    size_t kept = 0;
    while (kept < size_ && !(elements_[kept] == element)) ++kept;
    for (; kept + 1 < size_; ++kept) elements_[kept] = elements_[kept + 1];
    if (kept < size_) --size_;
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // REQUIRES: i < size().
  const T& operator[](size_t i) const { return elements_[i]; }
  T& operator[](size_t i) { return elements_[i]; }
  const T* begin() const { return elements_; }
  const T* end() const { return elements_ + size_; }

 private:
  size_t size_ = 0;
  T elements_[N]{};
};

}  // namespace onepack

#endif  // ONEPACK_BASE_INLINE_LIST_H_
