// Products of few rows of activations along rows of weights: a vector of partial sums for each
// result, added up at the end. One copy for each target of Highway.
//
// What takes the time is memory: a few rows of weights at a time are read from one end to the
// other. The order of all additions follows from the number of inputs alone.

#if defined(ONEPACK_LINEAR_LONG_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ONEPACK_LINEAR_LONG_ROWS_INL_H_
#undef ONEPACK_LINEAR_LONG_ROWS_INL_H_
#else
#define ONEPACK_LINEAR_LONG_ROWS_INL_H_
#endif

#include <stddef.h>
#include <stdint.h>

#include "hwy/highway.h"
#include "linear/float_finish-inl.h"
#include "linear/float_product.h"
#include "linear/float_vectors-inl.h"
#include "linear/float_weights-inl.h"
#include "linear/prefetch.h"

HWY_BEFORE_NAMESPACE();
namespace onepack::linear::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

static_assert(kWeightRows == kLongRowOutputs, "parts are whole groups of outputs");
// As many as the sums of all rows of activations leave registers for.
#if HWY_TARGET_IS_NEON || HWY_TARGET <= HWY_AVX3
constexpr size_t kStreams = 4;
#else
constexpr size_t kStreams = 2;
#endif

// Some rows of weights, and how far ahead of what is read memory is asked.
struct Streams {
  const uint8_t* rows[kStreams];
  size_t ahead;
};

// sums[r][n] is of row r of x and row `first` + n of weights.
template <class Weight, size_t kRows>
HWY_INLINE void SumProducts(const float* x, size_t inputs, const Streams& weights, size_t first,
                            Vector (&sums)[kRows][kWeightRows]) {
  const Floats d;
  Vector totals[kRows][kStreams];
  for (auto& row : totals) {
    for (Vector& total : row) total = hn::Zero(d);
  }
  const auto add = [&](const Vector(&w)[kStreams], auto load) HWY_ATTR {
    for (size_t r = 0; r < kRows; ++r) {
      const Vector values = load(x + r * inputs);
      for (size_t n = 0; n < kStreams; ++n) {
        totals[r][n] = hn::MulAdd(values, w[n], totals[r][n]);
      }
    }
  };
  constexpr size_t kSize = sizeof(typename Weight::Bits);
  size_t k = 0;
  for (; k + kLanes <= inputs; k += kLanes) {
    Vector w[kStreams];
    for (size_t n = 0; n < kStreams; ++n) {
      PrefetchToSecondLevel(weights.rows[n] + k * kSize + weights.ahead);
      w[n] = LoadWeights<Weight>(weights.rows[n] + k * kSize);
    }
    add(w, [k](const float* row) HWY_ATTR { return hn::LoadU(Floats(), row + k); });
  }
  if (k < inputs) {
    Vector w[kStreams];
    const size_t count = inputs - k;
    for (size_t n = 0; n < kStreams; ++n) {
      w[n] = LoadFirstWeights<Weight>(weights.rows[n] + k * kSize, count);
    }
    add(w, [k, count](const float* row) HWY_ATTR { return hn::LoadN(Floats(), row + k, count); });
  }
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t n = 0; n < kStreams; ++n) sums[r][first + n] = totals[r][n];
  }
}

// The outputs from `output` on, `count` of which there are.
template <class Weight, size_t kRows>
HWY_INLINE void MultiplyGroup(const FloatProduct& product, size_t row, size_t output, size_t count,
                              size_t ahead) {
  const size_t inputs = product.weights->inputs;
  const size_t row_bytes = inputs * sizeof(typename Weight::Bits);
  const uint8_t* const first = product.weights->values + output * row_bytes;
  Vector sums[kRows][kWeightRows];
  for (auto& of_row : sums) {
    for (Vector& sum : of_row) sum = hn::Zero(Floats());
  }
  for (size_t n = 0; n < count; n += kStreams) {
    Streams weights;
    weights.ahead = ahead;
    for (size_t i = 0; i < kStreams; ++i) {  // where there are fewer, the first one again
      weights.rows[i] = first + (n + i < count ? n + i : 0) * row_bytes;
    }
    SumProducts<Weight, kRows>(product.x + row * inputs, inputs, weights, n, sums);
  }
  const Finisher<FourSums> finisher(*product.finish, output, count);
  for (size_t r = 0; r < kRows; ++r) {
    float* const y = product.y + (row + r) * product.weights->outputs + output;
    StoreFirst(finisher.Finished(SumsOfElements(sums[r])), FourSums(), y, count);
  }
}

template <class Weight, size_t kRows>
void MultiplyLongRowsOf(const FloatProduct& product, const FloatPart& part) {
  constexpr size_t kPage = 4096;
  const size_t next_rows = kStreams * product.weights->inputs * sizeof(typename Weight::Bits);
  // Of the rows that come next; of long ones, what follows in them.
  const size_t ahead = next_rows <= 8 * kPage ? HWY_MAX(next_rows, 4 * kPage) : kPage;
  const size_t end = part.first_output + part.outputs;
  for (size_t n = part.first_output; n < end; n += kWeightRows) {
    MultiplyGroup<Weight, kRows>(product, part.first_row, n, HWY_MIN(kWeightRows, end - n), ahead);
  }
}

template <class Weight, size_t kRows = kMaxFewRows>
HWY_INLINE void MultiplyLongRows(const FloatProduct& product, const FloatPart& part) {
  if (part.rows == kRows) return MultiplyLongRowsOf<Weight, kRows>(product, part);
  if constexpr (kRows > 1) MultiplyLongRows<Weight, kRows - 1>(product, part);
}

}  // namespace onepack::linear::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ONEPACK_LINEAR_LONG_ROWS_INL_H_
