// Either a value or the Status that says why there is none.

#ifndef ONEPACK_RESULT_H_
#define ONEPACK_RESULT_H_

#include <assert.h>

#include <new>
#include <type_traits>
#include <utility>

#include "onepack/status.h"

namespace onepack {

template <typename T>
class [[nodiscard]] Result {
 public:
  // Implicit on purpose: `return value;` and `return Status::Error(...);` both read well.
  Result(T value) : has_value_(true) { new (&value_) T(std::move(value)); }  // NOLINT
  Result(Status status) : has_value_(false) {                                // NOLINT
    assert(!status.ok());
    new (&status_) Status(std::move(status));
  }
  Result(Result&& other) noexcept : has_value_(other.has_value_) {
    if (has_value_) {
      new (&value_) T(std::move(other.value_));
    } else {
      new (&status_) Status(std::move(other.status_));
    }
  }
  Result& operator=(Result&&) = delete;
  ~Result() {
    if (has_value_) {
      value_.~T();
    } else {
      status_.~Status();
    }
  }

  bool ok() const { return has_value_; }

  // Only when ok().
  T& value() & {
    assert(has_value_);
    return value_;
  }
  T&& value() && {
    assert(has_value_);
    return std::move(value_);
  }
  T& operator*() & { return value(); }
  T* operator->() { return &value(); }

  // Only when !ok().
  const Status& status() const {
    assert(!has_value_);
    return status_;
  }
  Status TakeStatus() {
    assert(!has_value_);
    return std::move(status_);
  }

 private:
  bool has_value_;
  union {
    T value_;
    Status status_;
  };
};

}  // namespace onepack

#define ONEPACK_CONCAT_INNER_(a, b) a##b
#define ONEPACK_CONCAT_(a, b) ONEPACK_CONCAT_INNER_(a, b)
#define ONEPACK_ASSIGN_OR_RETURN_(result, target, expression) \
  auto result = (expression);                                 \
  if (!result.ok()) {                                         \
    return result.TakeStatus();                               \
  }                                                           \
  target = std::move(result).value()

// ONEPACK_ASSIGN_OR_RETURN(const size_t size, Measure(x));
#define ONEPACK_ASSIGN_OR_RETURN(target, expression) \
  ONEPACK_ASSIGN_OR_RETURN_(ONEPACK_CONCAT_(onepack_result_, __LINE__), target, expression)

#endif  // ONEPACK_RESULT_H_
