// What the functions of several families check, and the few things they share besides.

#ifndef ONEPACK_DELEGATE_OPS_CHECKS_H_
#define ONEPACK_DELEGATE_OPS_CHECKS_H_

#include <initializer_list>
#include <limits>

#include "delegate/ops/op.h"

namespace onepack {

// The node's clamp; infinite where the file has none.
struct Clamp {
  float min = -std::numeric_limits<float>::infinity();
  float max = std::numeric_limits<float>::infinity();

  bool is_infinite() const;
};
Clamp ClampOf(const wire::xnnpack::XNode& node);
// kInvalidFile unless min <= max.
Status CheckClamp(const wire::xnnpack::XNode& node);

// The scale of a value that is quantized per tensor; 1 for others.
float ScaleOf(const GraphValue& value);

// XNNPACK computes with the quotient of scales in fixed point, and ends the process where that does
// not hold it. kUnsupported unless lowest <= ratio <= highest.
Status CheckScaleRatio(float ratio, float lowest, float highest);

// kUnsupported for bits other than those `allowed`.
Status CheckFlags(uint32_t flags, uint32_t allowed = 0);

// kUnsupported unless all values are of one of the datatypes, the same one, and, where
// quantization is to be equal, of the same scale and zero point.
enum class Quantization : uint8_t { kMayDiffer, kIsEqual };
Status CheckOneDatatype(std::initializer_list<const GraphValue*> values,
                        std::initializer_list<wire::xnnpack::XNNDatatype> datatypes,
                        Quantization quantization);

// kUnsupported, "from fp32 to qint8 is not supported".
Status NoConversion(const GraphValue& input, const GraphValue& output);

// A number of the node that must be less than 2^24, and not 0 unless `may_be_zero`. XNNPACK
// multiplies some of them in 32 bits, and takes some for floats.
Status CheckGeometry(const char* what, uint32_t number, bool may_be_zero = false);

// At most what XNNPACK takes to pack `count` matrices of [rows, columns] fp32 numbers while it
// runs: to each row belongs a bias, and both sizes are rounded up. UINT64_MAX for more than fits.
uint64_t PackedMatrixBytes(uint64_t count, uint64_t rows, uint64_t columns);

// One output, nothing besides.
Inference Inferred(const Shape& output);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_OPS_CHECKS_H_
