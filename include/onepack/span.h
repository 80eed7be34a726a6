// A pointer and a length: a view of elements with another owner.

#ifndef ONEPACK_SPAN_H_
#define ONEPACK_SPAN_H_

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include <type_traits>
#include <utility>

namespace onepack {

template <typename T>
class Span {
 public:
  constexpr Span() = default;
  constexpr Span(T* data, size_t size) : data_(data), size_(size) {}
  template <size_t N>
  constexpr Span(T (&array)[N]) : data_(array), size_(N) {}  // NOLINT: a view, like the others
  // Span<T> to Span<const T>, and any container with data() and size().
  template <typename Container,
            typename = std::enable_if_t<std::is_convertible_v<
                std::remove_pointer_t<decltype(std::declval<Container&>().data())> (*)[],
                T (*)[]>>>
  constexpr Span(Container& container)  // NOLINT
      : data_(container.data()), size_(container.size()) {}
  template <typename Container,
            typename = std::enable_if_t<std::is_convertible_v<
                std::remove_pointer_t<decltype(std::declval<const Container&>().data())> (*)[],
                T (*)[]>>>
  constexpr Span(const Container& container)  // NOLINT
      : data_(container.data()), size_(container.size()) {}

  constexpr T* data() const { return data_; }
  constexpr size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr T* begin() const { return data_; }
  constexpr T* end() const { return data_ + size_; }
  constexpr T& operator[](size_t index) const {
    assert(index < size_);
    return data_[index];
  }
  // REQUIRES: offset <= size() and length <= size() - offset.
  constexpr Span subspan(size_t offset, size_t length) const {
    assert(offset <= size_ && length <= size_ - offset);
    return Span(data_ + offset, length);
  }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
};

using Bytes = Span<const uint8_t>;

}  // namespace onepack

#endif  // ONEPACK_SPAN_H_
