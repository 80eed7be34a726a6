// Weights of a linear layer as torchao packs them ("universal", for groups with one scale each):
// a header, then blocks of 8 outputs. A block has for each group of inputs the integers of 16
// inputs after the other, then 8 scales, and 8 sums that other kernels need.

#ifndef ONEPACK_KERNELS_PACKED_LINEAR_H_
#define ONEPACK_KERNELS_PACKED_LINEAR_H_

#include "base/rounding.h"
#include "onepack/span.h"
#include "onepack/status.h"

namespace onepack::kernels {

class PackedLinear {
 public:
  static constexpr size_t kOutputs = 8;  // of a block
  static constexpr size_t kMostInputs = 256;

  struct Shape {
    size_t outputs = 0;
    size_t inputs = 0;
    size_t group_size = 0;
    size_t bits = 0;  // 4 or 8
  };

  // Errors: fewer bytes than the shape needs; groups that are not whole. Reads nothing.
  static Status CheckShape(size_t bytes, const Shape& shape);

  // Errors: those of CheckShape; another format.
  static Status Open(Bytes bytes, const Shape& shape, PackedLinear* packed);

  static size_t BlocksOf(size_t outputs) { return DivideUp(outputs, kOutputs); }

  // The weights of a block's outputs for up to kMostInputs inputs from `first` on; returns how
  // many. REQUIRES: `first` is 0, or the one after those of the call before.
  size_t Unpack(size_t block, size_t first, float (*weights)[kMostInputs]) const;

 private:
  size_t bytes_of_group() const { return shape_.bits * shape_.group_size + 2 * kOutputs * 4; }

  Bytes bytes_;  // behind the header
  Shape shape_;
};

}  // namespace onepack::kernels

#endif  // ONEPACK_KERNELS_PACKED_LINEAR_H_
