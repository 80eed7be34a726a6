// The dims of a value, as XNNPACK takes them: outermost in storage first.

#ifndef ONEPACK_DELEGATE_GRAPH_SHAPE_H_
#define ONEPACK_DELEGATE_GRAPH_SHAPE_H_

#include <stddef.h>
#include <stdint.h>

#include <initializer_list>
#include <string>

#include "base/inline_list.h"
#include "base/value_map.h"
#include "onepack/span.h"
#include "schema/verify_payload.h"

namespace onepack {

class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<size_t> dims) {
    for (const size_t dim : dims) Append(dim);
  }
  // REQUIRES: at most kMaxGraphRank dims.
  explicit Shape(Span<const uint32_t> dims) {
    for (const uint32_t dim : dims) Append(dim);
  }

  // REQUIRES: at most kMaxGraphRank.
  static Shape OfOnes(size_t rank) {
    Shape ones;
    while (ones.rank() < rank) ones.Append(1);
    return ones;
  }

  size_t rank() const { return dims_.size(); }
  // REQUIRES: i < rank().
  size_t operator[](size_t i) const { return dims_[i]; }
  size_t& operator[](size_t i) { return dims_[i]; }
  // Counted from the innermost, 0. REQUIRES: i < rank().
  size_t FromLast(size_t i) const { return dims_[rank() - 1 - i]; }
  size_t& FromLast(size_t i) { return dims_[rank() - 1 - i]; }
  const size_t* data() const { return dims_.begin(); }
  const size_t* begin() const { return dims_.begin(); }
  const size_t* end() const { return dims_.end(); }

  // REQUIRES: rank() < kMaxGraphRank.
  void Append(size_t dim) { dims_.push_back(dim); }

  // 1 for a scalar; SIZE_MAX for more than fits.
  size_t element_count() const;
  bool operator==(const Shape& other) const;
  bool operator!=(const Shape& other) const { return !(*this == other); }
  // "[2, 3]".
  std::string Text() const;

 private:
  InlineList<size_t, kMaxGraphRank> dims_;
};

// By value id.
using Shapes = ValueMap<Shape>;

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_GRAPH_SHAPE_H_
