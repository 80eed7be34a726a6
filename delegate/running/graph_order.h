// The order in which a graph has the dimensions of a tensor that a call gives it.
//
// A graph has them as they are stored, outermost first. The program's dim order says the same, but
// for dimensions of size 1: a channel alone may stand first in the one and last in the other.

#ifndef ONEPACK_DELEGATE_RUNNING_GRAPH_ORDER_H_
#define ONEPACK_DELEGATE_RUNNING_GRAPH_ORDER_H_

#include "delegate/graph/shape.h"
#include "runtime/tensor.h"

namespace onepack {

class GraphOrder {
 public:
  // `bound` is what the graph says of the value. Both outlive the order, which is the dim order of
  // `tensor` where no other one fits. REQUIRES: equal ranks.
  GraphOrder(const Tensor& tensor, const Shape& bound);
  GraphOrder(const GraphOrder&) = delete;
  GraphOrder& operator=(const GraphOrder&) = delete;

  // The tensor's dimension that is the i-th of the graph. REQUIRES: i < rank.
  size_t operator[](size_t i) const { return order_[i]; }

 private:
  void MoveOnes(const Tensor& tensor, const Shape& bound);

  const uint8_t* order_;
  uint8_t moved_[kMaxGraphRank];  // what order_ points to, if it is not the tensor's
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_RUNNING_GRAPH_ORDER_H_
