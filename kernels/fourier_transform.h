// The discrete Fourier transform of rows of one length:
//
//   out[k] = sum over j of in[j] * exp(-2 pi i j k / length), with + for the backward one
//
// Nothing is scaled. Lengths of which 2, 3 and 5 are the only prime factors go to kissfft, unless
// they need double: distributions build it for float. All others are split by their prime factors
// here, in double. A length n costs n times the sum of those; that of a large prime is n squared.
//
// Ownership: has the memory of one row, from the allocator.
// Threads:   one at a time.
// Errors:    kResourceExhausted; a length that kissfft's int cannot hold.

#ifndef ONEPACK_KERNELS_FOURIER_TRANSFORM_H_
#define ONEPACK_KERNELS_FOURIER_TRANSFORM_H_

#include "kernels/complex.h"
#include "onepack/array.h"
#include "onepack/span.h"

struct kiss_fft_state;

namespace onepack::kernels {

class FourierTransform {
 public:
  enum class Direction : uint8_t { kForward, kBackward };
  enum class Precision : uint8_t { kFloat, kDouble };

  // REQUIRES: 0 < length <= INT32_MAX.
  static Result<FourierTransform> Create(int64_t length, Direction direction, Precision precision,
                                         const Allocator& allocator);

  // What to transform, and after Run the result.
  Span<Complex> row() { return {row_.data(), row_.size()}; }
  void Run();

 private:
  struct FloatPair {
    float real, imaginary;
  };

  FourierTransform() = default;
  Status PlanInFloat(int length, Direction direction, const Allocator& allocator);
  Status PlanInDouble(int64_t length, Direction direction, const Allocator& allocator);
  void RunInFloat();
  // out[0, n) = the transform of in[0], in[stride], ... of the n elements that are left after
  // splitting by the first `split` factors.
  void Split(const Complex* in, int64_t stride, Complex* out, int64_t n, size_t split);
  void Combine(Complex* out, int64_t n, int64_t factor);

  // Of 2 each, for lengths below 2^31.
  static constexpr size_t kMaxFactors = 31;

  Array<Complex> row_;
  // In float.
  Array<uint64_t> plan_memory_;
  kiss_fft_state* plan_ = nullptr;
  Array<FloatPair> float_rows_[2];
  // In double.
  Array<Complex> result_;
  Array<Complex> roots_;  // exp(-+2 pi i k / length)
  Array<Complex> terms_;  // as many as the largest factor
  int64_t factors_[kMaxFactors] = {};
};

}  // namespace onepack::kernels

#endif  // ONEPACK_KERNELS_FOURIER_TRANSFORM_H_
