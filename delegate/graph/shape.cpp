#include "delegate/graph/shape.h"

#include <algorithm>

#include "base/checked_math.h"

namespace onepack {

size_t Shape::element_count() const {
  size_t count = 1;
  bool fits = true;
  for (const size_t dim : *this) {
    if (dim == 0) return 0;
    fits = fits && CheckedMultiply(count, dim, &count);
  }
  return fits ? count : SIZE_MAX;
}

bool Shape::operator==(const Shape& other) const {
  return std::equal(begin(), end(), other.begin(), other.end());
}

std::string Shape::Text() const {
  std::string text = "[";
  for (const size_t dim : *this) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(dim);
  }
  return text + "]";
}

}  // namespace onepack
