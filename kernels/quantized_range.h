// What the operators around quantized integers share.

#ifndef ONEPACK_KERNELS_QUANTIZED_RANGE_H_
#define ONEPACK_KERNELS_QUANTIZED_RANGE_H_

#include "kernels/arguments.h"
#include "kernels/strided.h"

namespace onepack::kernels {

struct QuantizedRange {
  int64_t lowest;
  int64_t highest;
};

// The arguments quant_min and quant_max.
inline QuantizedRange ReadRange(ArgumentReader& read) {
  const int64_t lowest = read.Int("quant_min");
  return {lowest, read.Int("quant_max")};
}

// Each dimension of `tensor`, which `whole` shows, as blocks and what is in a block. Errors: sizes
// that do not divide it.
Status SplitInBlocks(const Tensor& tensor, const Strided& whole, const IntList& block_sizes,
                     Strided* split);

}  // namespace onepack::kernels

#endif  // ONEPACK_KERNELS_QUANTIZED_RANGE_H_
