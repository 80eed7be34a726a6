// What the shapes of a graph's inputs make of all the others.
//
// XNNPACK computes shapes too, but takes a lot on trust: a concatenation or a convolution of inputs
// that do not fit reads out of bounds. So every shape is computed here first, with the file's
// bounds when a plan is made and with the shapes of a call before XNNPACK is asked to reshape.
//
// The file's bounds need not be what the bounds of the inputs make. Exporters compute the bound of
// each value alone, which may come out larger than it can be, and write the size of the example
// where a dim has none, which may be smaller than others add up to. So a bound is no more than a
// limit, which each call has to keep.
//
// Threads: one at a time. Refers to the payload's graph.

#ifndef ONEPACK_DELEGATE_PLAN_SHAPE_INFERENCE_H_
#define ONEPACK_DELEGATE_PLAN_SHAPE_INFERENCE_H_

#include <set>
#include <vector>

#include "delegate/graph/shape.h"
#include "delegate/ops/op.h"
#include "onepack/status.h"

namespace onepack {

// The part of the shapes that XNNPACK's plan of a runtime rests on, but does not look at again when
// they change: which operand of a binary node is as large as its output, which then may take the
// operand's place; and the sizes that indirection buffers were made for. Where it differs, the
// runtime has to be created again.
using ShapePattern = std::vector<size_t>;

class ShapeInference {
 public:
  void Reserve(size_t values, size_t nodes) {
    shapes_.reserve(values);
    nodes_.reserve(nodes);
  }
  // The shape of a value as the file has it.
  void AddValue(uint32_t value_id, const Shape& bound) { shapes_.Add(value_id, bound); }
  // The file's dims of this value may stand in another order than it is stored in: exporters do
  // that to images that are quantized dynamically. The node that writes it knows better.
  void MayBePermuted(uint32_t value_id) { permuted_.insert(value_id); }
  // XNNPACK takes memory for the bound of this value, which therefore has to be what the inputs
  // make it.
  void MustBeExact(uint32_t value_id) { exact_.insert(value_id); }

  // Infers the outputs of the next node from the bounds of its inputs. kInvalidFile unless they are
  // of the rank that was set, or of the dims where these must be exact; kResourceExhausted when
  // XNNPACK would take more than `max_scratch_bytes` for what it needs besides values: to compute
  // this node, and to keep for it and all before it.
  Status AddNode(size_t index, const Op& op, const wire::xnnpack::XNode& node,
                 uint64_t max_scratch_bytes);

  // Infers all shapes again from those that were set. kMismatch for shapes that the nodes cannot
  // compute, that exceed the bounds, or that need more besides values than AddNode allowed; names
  // the node.
  Status Infer();

  // REQUIRES: a value of the graph.
  const Shape& shape(uint32_t value_id) const { return shapes_.at(value_id); }
  void set_shape(uint32_t value_id, const Shape& shape) { shapes_.at(value_id) = shape; }

  // Of the shapes inferred last.
  ShapePattern Pattern() const;
  // Whether none of these nodes has so much to compute, at the shapes inferred last, that threads
  // would help. A parallel region costs microseconds where every thread has a core, and
  // milliseconds where another process has it. REQUIRES: nodes that were added.
  bool AreLight(const std::vector<uint32_t>& nodes) const;
  // Whether any value that a node reads or writes has no element.
  bool has_empty_values() const;

 private:
  struct Node {
    size_t index;
    const Op* op;
    const wire::xnnpack::XNode* wire;
    Inference::Outputs bounds;

    Operands operands() const { return op->operands(*wire); }
  };

  Status InferNode(const Node& node);
  bool IsLight(const Node& node) const;

  // Counts what XNNPACK allocates for a node besides values.
  Status TakeBytes(const Inference& inference);

  Shapes shapes_;
  std::set<uint32_t> permuted_;
  std::set<uint32_t> exact_;
  std::vector<Node> nodes_;
  uint64_t max_scratch_bytes_ = 0;
  uint64_t kept_bytes_ = 0;  // by XNNPACK, for the nodes so far
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PLAN_SHAPE_INFERENCE_H_
