// Addresses that stand for weights which XNNPACK will find packed: memory that cannot be read.
//
// XNNPACK wants an address for every weight when a graph is defined, looks the weight up by it, and
// reads what is there only if it has to pack.

#ifndef ONEPACK_DELEGATE_XNN_PLACEHOLDERS_H_
#define ONEPACK_DELEGATE_XNN_PLACEHOLDERS_H_

#include <stddef.h>
#include <stdint.h>

#include <utility>

#include "base/mapping.h"
#include "base/result.h"

namespace onepack {

class Placeholders {
 public:
  Placeholders() = default;

  // As many different addresses. kResourceExhausted.
  static Result<Placeholders> Create(size_t count);

  // REQUIRES: index < count.
  const void* operator[](size_t index) const { return mapping_.data() + index * kDistance; }

 private:
  static constexpr size_t kDistance = 64;

  explicit Placeholders(Mapping mapping) : mapping_(std::move(mapping)) {}

  Mapping mapping_;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_XNN_PLACEHOLDERS_H_
