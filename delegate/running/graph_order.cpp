#include "delegate/running/graph_order.h"

namespace onepack {

GraphOrder::GraphOrder(const Tensor& tensor, const Shape& bound)
    : order_(tensor.dim_order().data()) {
  // By the bounds, because they do not change from run to run: a size that is 1 now has its place.
  for (size_t i = 0; i < bound.rank(); ++i) {
    if (static_cast<size_t>(tensor.bounds()[order_[i]]) != bound[i]) {
      MoveOnes(tensor, bound);
      return;
    }
  }
}

void GraphOrder::MoveOnes(const Tensor& tensor, const Shape& bound) {
  const Span<const uint8_t> given = tensor.dim_order();
  const auto next = [&](size_t place, bool is_one) {
    while (place < given.size() && (tensor.bounds()[given[place]] == 1) != is_one) ++place;
    return place;
  };
  size_t one = next(0, true);
  size_t other = next(0, false);
  for (size_t i = 0; i < bound.rank(); ++i) {
    size_t& place = bound[i] == 1 ? one : other;
    if (place == given.size()) return;
    moved_[i] = given[place];
    place = next(place + 1, bound[i] == 1);
  }
  order_ = moved_;
}

}  // namespace onepack
