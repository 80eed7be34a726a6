// Linear layers over weights that are read as they lie in a file, row-major, one row for each
// output: nothing is packed, and nothing kept.
//
//   y[m][n] = clamp(sum over k of x[m][k] * w[n][k] + bias[n])
//
// Activations that meet integer weights are quantized to 8 bits first, each row with a scale and a
// zero point of its own, as XNNPACK's convert from fp32 to qdint8 does it:
//
//   x[m][k] = a[m] * (q[m][k] - z[m])
//   w[n][k] = s[n, k / block_size] * u[n][k]
//   y[m][n] = a[m] * (sum over blocks b of s[n,b] * (sum over k in b of q * u) - z[m] * c[n])
//   c[n]    = sum over blocks b of s[n,b] * (sum over k in b of u[n][k])       (WeightSums)
//
// Sums within 32 inputs of a block are integers. Weights with one scale for each output have
// integer sums of 32 bits to the end, of q - z as well, and c[n] without the scale; as in XNNPACK
// they wrap around. Outputs are XNNPACK's to the rounding of sums of floats. A row's outputs do not
// depend on the number of threads, nor on the rows beside it as long as these are few (up to four)
// or many; between the two, and between instruction sets, the last bits may differ.
//
// Numbers too small for a full mantissa are zeros, where they are read and where they come out, as
// in all operators of XNNPACK's, with and without a pool. (As floats, all of float16 have a full
// one.)
//
// Ownership: nothing is kept, and nothing allocated.
// Threads:   any. With a pool, weight rows are shared out to its threads; null: the calling thread.
// Memory:    no byte outside the arrays described is read or written. Arrays of weights and scales
//            may stand at any address; of floats, at one that is aligned for floats.
// Stack:     80 KB of each thread that computes.
// Errors:    none: what is REQUIRED is the caller's to check.

#ifndef ONEPACK_LINEAR_LINEAR_H_
#define ONEPACK_LINEAR_LINEAR_H_

#include <stddef.h>
#include <stdint.h>

struct pthreadpool;

namespace onepack::linear {

enum class WeightType : uint8_t {
  kInt4Blocks,    // 4 bits, less 8; a bfloat16 scale for each block of inputs of an output
  kInt4Channels,  // 4 bits, less 8; a float scale for each output
  kInt8Channels,  // 8 bits, signed; a float scale for each output
  kFloat32,
  kFloat16,
  kBfloat16,
};

constexpr bool IsInteger(WeightType type) { return type <= WeightType::kInt8Channels; }

// Weights, [outputs][inputs].
struct Weights {
  WeightType type{};
  size_t outputs = 0;
  size_t inputs = 0;
  // kInt4Blocks: inputs that have one scale, a multiple of 32 that divides `inputs`. Else 0.
  size_t block_size = 0;
  // Of 4 bits: two in a byte, the one of the even input in the low half; rows begin at a whole
  // byte.
  const uint8_t* values = nullptr;
  // [outputs][inputs / block_size] bfloat16, or [outputs] floats. Null for weights that are floats.
  const uint8_t* scales = nullptr;
};

// What becomes of a sum.
struct Finish {
  const float* bias = nullptr;  // [outputs]; null for none
  float min = 0;                // the clamp, infinite where there is none
  float max = 0;
};

// c[n] for `count` outputs from `first` on; of channels the plain sums of u, exact below 2^24.
// REQUIRES: integer weights.
void WeightSums(const Weights& weights, size_t first, size_t count, float* sums);

// In what form quantized activations are for the integer weights that they will meet.
// All weights of one form can share them.
struct ActivationForm {
  size_t inputs = 0;
  size_t block_size = 0;  // 0: all inputs are one block
  bool is_for_int4 = false;

  bool operator==(const ActivationForm& other) const {
    return inputs == other.inputs && block_size == other.block_size &&
           is_for_int4 == other.is_for_int4;
  }
};
ActivationForm FormFor(const Weights& weights);

// Bytes that `rows` quantized rows take, at an address that is a multiple of kFormAlignment.
inline constexpr size_t kFormAlignment = 64;
size_t QuantizedBytes(const ActivationForm& form, size_t rows);
// The most that any number of rows up to this one takes: four may take more than five, in another
// order. SIZE_MAX for more than fits.
size_t MaxQuantizedBytes(const ActivationForm& form, size_t max_rows);

// x: [rows][form.inputs].
void Quantize(const ActivationForm& form, const float* x, size_t rows, uint8_t* quantized,
              pthreadpool* pool);

// y: [rows][outputs]. `quantized` is what Quantize made for FormFor(weights); `sums` are all of
// WeightSums. REQUIRES: integer weights.
void MultiplyQuantized(const uint8_t* quantized, size_t rows, const Weights& weights,
                       const float* sums, const Finish& finish, float* y, pthreadpool* pool);

// x: [rows][inputs], y: [rows][outputs]. Weights of 16 bits are widened as they are read.
// REQUIRES: weights that are floats, of at least one input.
void MultiplyFloats(const float* x, size_t rows, const Weights& weights, const Finish& finish,
                    float* y, pthreadpool* pool);

}  // namespace onepack::linear

#endif  // ONEPACK_LINEAR_LINEAR_H_
