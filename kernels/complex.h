// Complex numbers to compute with. Not std::complex: its products look for infinities that come of
// overflows, in a function of the compiler's, and nothing here needs that.

#ifndef ONEPACK_KERNELS_COMPLEX_H_
#define ONEPACK_KERNELS_COMPLEX_H_

#include <cmath>

namespace onepack::kernels {

// As the elements of a complex128 tensor lie in memory.
struct Complex {
  double real = 0;
  double imaginary = 0;
};

inline Complex operator+(Complex a, Complex b) {
  return {a.real + b.real, a.imaginary + b.imaginary};
}
inline Complex operator-(Complex a) { return {-a.real, -a.imaginary}; }
inline Complex operator*(Complex a, Complex b) {
  return {a.real * b.real - a.imaginary * b.imaginary, a.real * b.imaginary + a.imaginary * b.real};
}
inline Complex operator*(Complex a, double b) { return {a.real * b, a.imaginary * b}; }
inline Complex Conjugate(Complex a) { return {a.real, -a.imaginary}; }

// Scaled by the larger part of the divisor: its square may not fit a double.
inline Complex operator/(Complex a, Complex b) {
  if (std::fabs(b.real) >= std::fabs(b.imaginary)) {
    const double ratio = b.imaginary / b.real;
    const double divisor = b.real + b.imaginary * ratio;
    return {(a.real + a.imaginary * ratio) / divisor, (a.imaginary - a.real * ratio) / divisor};
  }
  const double ratio = b.real / b.imaginary;
  const double divisor = b.real * ratio + b.imaginary;
  return {(a.real * ratio + a.imaginary) / divisor, (a.imaginary * ratio - a.real) / divisor};
}

inline bool operator==(Complex a, Complex b) {
  return a.real == b.real && a.imaginary == b.imaginary;
}
inline bool operator!=(Complex a, Complex b) { return !(a == b); }

}  // namespace onepack::kernels

#endif  // ONEPACK_KERNELS_COMPLEX_H_
