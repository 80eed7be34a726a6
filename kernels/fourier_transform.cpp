#include "kernels/fourier_transform.h"

#include <kissfft/kiss_fft.h>
#include <string.h>

#include <cmath>
#include <type_traits>
#include <utility>

namespace onepack::kernels {
namespace {

constexpr double kTwoPi = 6.283185307179586476925;

static_assert(std::is_same_v<kiss_fft_scalar, float>);

// The factors that kissfft has code for. For others it takes memory from malloc at each run, and
// where there is none it prints a line and leaves the result undone.
bool HasSmallFactorsOnly(int64_t length) {
  for (const int64_t factor : {2, 3, 5}) {
    while (length % factor == 0) length /= factor;
  }
  return length == 1;
}

}  // namespace

Result<FourierTransform> FourierTransform::Create(int64_t length, Direction direction,
                                                  Precision precision, const Allocator& allocator) {
  FourierTransform transform;
  ONEPACK_ASSIGN_OR_RETURN(transform.row_,
                           Array<Complex>::Create(allocator, static_cast<size_t>(length)));
  if (precision == Precision::kFloat && HasSmallFactorsOnly(length)) {
    ONEPACK_RETURN_IF_ERROR(transform.PlanInFloat(static_cast<int>(length), direction, allocator));
  } else {
    ONEPACK_RETURN_IF_ERROR(transform.PlanInDouble(length, direction, allocator));
  }
  return transform;
}

Status FourierTransform::PlanInFloat(int length, Direction direction, const Allocator& allocator) {
  const int is_inverse = direction == Direction::kBackward ? 1 : 0;
  size_t bytes = 0;
  kiss_fft_alloc(length, is_inverse, nullptr, &bytes);  // says how many
  ONEPACK_ASSIGN_OR_RETURN(plan_memory_,
                           Array<uint64_t>::Create(allocator, bytes / sizeof(uint64_t) + 1));
  for (Array<FloatPair>& row : float_rows_) {
    ONEPACK_ASSIGN_OR_RETURN(row, Array<FloatPair>::Create(allocator, row_.size()));
  }
  plan_ = kiss_fft_alloc(length, is_inverse, plan_memory_.data(), &bytes);
  if (plan_ != nullptr) return Status::Ok();
  return Status::Error(StatusCode::kInternal, "no plan of %d elements", length);
}

Status FourierTransform::PlanInDouble(int64_t length, Direction direction,
                                      const Allocator& allocator) {
  int64_t largest = 1;
  size_t count = 0;
  int64_t rest = length;
  for (int64_t factor = 2; rest > 1; ++factor) {
    if (factor * factor > rest) factor = rest;  // a prime is left
    while (rest % factor == 0) {
      factors_[count++] = factor;
      rest /= factor;
      largest = factor;
    }
  }
  ONEPACK_ASSIGN_OR_RETURN(result_, Array<Complex>::Create(allocator, row_.size()));
  ONEPACK_ASSIGN_OR_RETURN(roots_, Array<Complex>::Create(allocator, row_.size()));
  ONEPACK_ASSIGN_OR_RETURN(terms_, Array<Complex>::Create(allocator, static_cast<size_t>(largest)));
  const double step =
      (direction == Direction::kForward ? -kTwoPi : kTwoPi) / static_cast<double>(length);
  for (size_t k = 0; k < roots_.size(); ++k) {
    const double angle = step * static_cast<double>(k);
    roots_[k] = {std::cos(angle), std::sin(angle)};
  }
  return Status::Ok();
}

void FourierTransform::Run() {
  if (plan_ != nullptr) return RunInFloat();
  Split(row_.data(), 1, result_.data(), static_cast<int64_t>(row_.size()), 0);
  std::swap(row_, result_);
}

void FourierTransform::RunInFloat() {
  static_assert(sizeof(FloatPair) == sizeof(kiss_fft_cpx));
  for (size_t i = 0; i < row_.size(); ++i) {
    float_rows_[0][i] = {static_cast<float>(row_[i].real), static_cast<float>(row_[i].imaginary)};
  }
  kiss_fft(plan_, reinterpret_cast<const kiss_fft_cpx*>(float_rows_[0].data()),
           reinterpret_cast<kiss_fft_cpx*>(float_rows_[1].data()));
  for (size_t i = 0; i < row_.size(); ++i) {
    row_[i] = {static_cast<double>(float_rows_[1][i].real),
               static_cast<double>(float_rows_[1][i].imaginary)};
  }
}

void FourierTransform::Split(const Complex* in, int64_t stride, Complex* out, int64_t n,
                             size_t split) {
  if (n == 1) {
    *out = *in;
    return;
  }
  const int64_t factor = factors_[split];
  const int64_t part = n / factor;
  for (int64_t i = 0; i < factor; ++i) {
    Split(in + i * stride, stride * factor, out + i * part, part, split + 1);
  }
  Combine(out, n, factor);
}

// From the transforms of every factor-th element, one after the other, to that of all.
void FourierTransform::Combine(Complex* out, int64_t n, int64_t factor) {
  const int64_t part = n / factor;
  const int64_t root_step = static_cast<int64_t>(roots_.size()) / n;
  for (int64_t k = 0; k < part; ++k) {
    for (int64_t i = 0; i < factor; ++i) terms_[static_cast<size_t>(i)] = out[i * part + k];
    for (int64_t to = k; to < n; to += part) {
      Complex sum = terms_[0];
      int64_t root = 0;  // to * i modulo n
      for (int64_t i = 1; i < factor; ++i) {
        root += to;
        if (root >= n) root -= n;
        sum = sum + terms_[static_cast<size_t>(i)] * roots_[static_cast<size_t>(root * root_step)];
      }
      out[to] = sum;
    }
  }
}

}  // namespace onepack::kernels
