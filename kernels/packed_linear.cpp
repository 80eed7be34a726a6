#include "kernels/packed_linear.h"

#include <string.h>

#include "base/checked_math.h"

namespace onepack::kernels {
namespace {

constexpr size_t kInputs = 16;  // that lie together for all outputs of a block
constexpr size_t kHalf = 8;     // of these, for each output in turn
constexpr size_t kIntegers = PackedLinear::kOutputs * kInputs;

struct Header {
  int32_t magic;
  int32_t type;
  int32_t bits;
  int32_t has_zero_points;
  int32_t has_bias;
  int32_t outputs;
  int32_t inputs;
  int32_t parts;
  int32_t rest[8];
};
static_assert(sizeof(Header) == 64, "as in the file");
constexpr int32_t kMagic = 6712;
constexpr int32_t kUniversal = 1;

// 128 integers: 16 bytes hold the 32 from their place on, the first 16 in the lower halves.
void UnpackIntegers(size_t bits, const uint8_t* from, int8_t* to) {
  if (bits == 8) {
    memcpy(to, from, kIntegers);
    return;
  }
  for (size_t i = 0; i < kIntegers / 2; ++i) {
    const size_t at = i / 16 * 32 + i % 16;
    to[at] = static_cast<int8_t>((from[i] & 15) - 8);
    to[at + 16] = static_cast<int8_t>((from[i] >> 4) - 8);
  }
}

Status CheckHeader(Bytes bytes, size_t bits) {
  Header header;
  memcpy(&header, bytes.data(), sizeof(header));
  const bool is_known = header.magic == kMagic && header.type == kUniversal &&
                        header.bits == static_cast<int32_t>(bits) && header.has_zero_points == 0 &&
                        header.has_bias == 0 && header.outputs == PackedLinear::kOutputs &&
                        header.inputs == kInputs && header.parts == kInputs / kHalf;
  if (is_known) return Status::Ok();
  return Status::Error(StatusCode::kUnsupported,
                       "packed weights of magic %d, type %d, %d bits in blocks of %d x %d / %d; "
                       "%d, %d, %zu bits in blocks of %zu x %zu / %zu expected",
                       header.magic, header.type, header.bits, header.outputs, header.inputs,
                       header.parts, kMagic, kUniversal, bits, PackedLinear::kOutputs, kInputs,
                       kInputs / kHalf);
}

}  // namespace

Status PackedLinear::CheckShape(size_t bytes, const Shape& shape) {
  if ((shape.bits != 4 && shape.bits != 8) || shape.group_size == 0 ||
      shape.group_size % kInputs != 0 || shape.inputs % shape.group_size != 0) {
    return Status::Error(StatusCode::kInvalidArgument,
                         "%zu inputs in groups of %zu with %zu bits; 4 or 8 bits, and whole groups "
                         "of a multiple of %zu expected",
                         shape.inputs, shape.group_size, shape.bits, kInputs);
  }
  size_t needed = 0;
  const bool fits = CheckedMultiply(shape.bits, shape.group_size, &needed) &&
                    CheckedAdd(needed, 2 * kOutputs * sizeof(float), &needed) &&
                    CheckedMultiply(needed, shape.inputs / shape.group_size, &needed) &&
                    CheckedMultiply(needed, BlocksOf(shape.outputs), &needed) &&
                    CheckedAdd(needed, sizeof(Header), &needed) && needed <= bytes;
  if (fits) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument,
                       "%zu bytes of packed weights for %zu outputs of %zu inputs", bytes,
                       shape.outputs, shape.inputs);
}

Status PackedLinear::Open(Bytes bytes, const Shape& shape, PackedLinear* packed) {
  ONEPACK_RETURN_IF_ERROR(CheckShape(bytes.size(), shape));
  packed->shape_ = shape;
  packed->bytes_ = bytes.subspan(sizeof(Header), bytes.size() - sizeof(Header));
  return CheckHeader(bytes, shape.bits);
}

size_t PackedLinear::Unpack(size_t block, size_t first, float (*weights)[kMostInputs]) const {
  const size_t groups = shape_.inputs / shape_.group_size;
  const size_t in_group = first % shape_.group_size;
  const uint8_t* const group =
      bytes_.data() + (block * groups + first / shape_.group_size) * bytes_of_group();
  float scales[kOutputs];
  memcpy(scales, group + shape_.bits * shape_.group_size, sizeof(scales));
  const size_t left = shape_.group_size - in_group;
  const size_t n = left < kMostInputs ? left : kMostInputs;
  for (size_t i = 0; i < n; i += kInputs) {
    int8_t integers[kIntegers];
    UnpackIntegers(shape_.bits, group + shape_.bits * (in_group + i), integers);
    for (size_t k = 0; k < kIntegers; ++k) {
      const size_t output = k / kHalf % kOutputs;
      const size_t input = k / (kHalf * kOutputs) * kHalf + k % kHalf;
      weights[output][i + input] = static_cast<float>(integers[k]) * scales[output];
    }
  }
  return n;
}

}  // namespace onepack::kernels
