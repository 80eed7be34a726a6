// Products with short rows of weights: outputs in the lanes of vectors, over weights that are
// transposed on the way, two vectors of outputs at a time. One copy for each target of Highway.
//
// The products of a result are added one after the other, in the order of the inputs.

#if defined(ONEPACK_LINEAR_SHORT_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ONEPACK_LINEAR_SHORT_ROWS_INL_H_
#undef ONEPACK_LINEAR_SHORT_ROWS_INL_H_
#else
#define ONEPACK_LINEAR_SHORT_ROWS_INL_H_
#endif

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "linear/float_finish-inl.h"
#include "linear/float_product.h"
#include "linear/float_weights-inl.h"

HWY_BEFORE_NAMESPACE();
namespace onepack::linear::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr size_t kPanelOutputs = 2 * kLanes;
static_assert(kShortRowOutputs % kPanelOutputs == 0, "a part is whole panels");
constexpr size_t kShortTileRows = 6;
constexpr size_t kStep = 4;           // inputs that are transposed together
constexpr size_t kBytesAhead = 8192;  // what is read while memory answers

// [input][output]
struct FloatPanel {
  HWY_ALIGN float values[kMaxShortRow][kPanelOutputs];
};

// Blocks of four weights that are `distance` bytes apart.
template <class DBits>
HWY_INLINE hn::Vec<DBits> LoadBlocks(DBits d, const uint8_t* from, size_t distance) {
  if constexpr (hn::MaxLanes(d) == kStep) {
    (void)distance;
    return LoadBits(d, from);
  } else {
    const hn::Half<DBits> half;
    const uint8_t* const upper = from + hn::MaxLanes(half) / kStep * distance;
    return hn::Combine(d, LoadBlocks(half, upper, distance), LoadBlocks(half, from, distance));
  }
}

// `from`: four weights of each of as many rows as a vector has lanes.
template <class Weight>
HWY_INLINE void Transpose(const uint8_t* from, size_t row_bytes, float* to) {
  const Floats d;
  const hn::Repartition<uint64_t, Floats> pairs;
  const BitsOf<Weight, Floats> bits;
  Vector v[kStep];
  for (size_t i = 0; i < kStep; ++i) {
    v[i] = Weight::Widen(d, LoadBlocks(bits, from + i * row_bytes, kStep * row_bytes));
  }
  const auto a = hn::BitCast(pairs, hn::InterleaveLower(d, v[0], v[1]));
  const auto b = hn::BitCast(pairs, hn::InterleaveLower(d, v[2], v[3]));
  const auto e = hn::BitCast(pairs, hn::InterleaveUpper(d, v[0], v[1]));
  const auto f = hn::BitCast(pairs, hn::InterleaveUpper(d, v[2], v[3]));
  hn::Store(hn::BitCast(d, hn::InterleaveLower(pairs, a, b)), d, to);
  hn::Store(hn::BitCast(d, hn::InterleaveUpper(pairs, a, b)), d, to + kPanelOutputs);
  hn::Store(hn::BitCast(d, hn::InterleaveLower(pairs, e, f)), d, to + 2 * kPanelOutputs);
  hn::Store(hn::BitCast(d, hn::InterleaveUpper(pairs, e, f)), d, to + 3 * kPanelOutputs);
}

// Reads rows as if their length were a multiple of kStep.
template <class Weight>
HWY_INLINE void FillPanel(const uint8_t* from, size_t inputs, FloatPanel* panel) {
  constexpr size_t kSize = sizeof(typename Weight::Bits);
  for (size_t k = 0; k < inputs; k += kStep) {
    const uint8_t* const ahead = from + kBytesAhead + kPanelOutputs * k * kSize;
    for (size_t i = 0; i < kPanelOutputs * kStep * kSize; i += 64) {
      hwy::Prefetch(ahead + i);
    }
    for (size_t n = 0; n < kPanelOutputs; n += kLanes) {
      Transpose<Weight>(from + (n * inputs + k) * kSize, inputs * kSize, &panel->values[k][n]);
    }
  }
}

// Of the outputs from `output` on, `count` of which there are.
template <class Weight>
HWY_INLINE void ReadPanel(const Weights& weights, size_t output, size_t count, FloatPanel* panel) {
  const size_t row_bytes = weights.inputs * sizeof(typename Weight::Bits);
  const size_t rounded_bytes = RoundUp(weights.inputs, kStep) * sizeof(typename Weight::Bits);
  const size_t read = (kPanelOutputs - 1) * row_bytes + rounded_bytes;
  const uint8_t* const from = weights.values + output * row_bytes;
  if (output * row_bytes + read <= weights.outputs * row_bytes) {
    return FillPanel<Weight>(from, weights.inputs, panel);
  }
  uint8_t copy[sizeof(panel->values) + kStep * sizeof(float)];
  memcpy(copy, from, count * row_bytes);
  memset(copy + count * row_bytes, 0, read - count * row_bytes);
  FillPanel<Weight>(copy, weights.inputs, panel);
}

template <size_t kRows>
void MultiplyPanel(const FloatProduct& product, size_t row, const FloatPanel& panel, size_t output,
                   size_t count) {
  const Floats d;
  const size_t inputs = product.weights->inputs;
  const float* const x = product.x + row * inputs;
  Vector sums[kRows][2];
  for (auto& of_row : sums) of_row[0] = of_row[1] = hn::Zero(d);
  for (size_t k = 0; k < inputs; ++k) {
    const Vector w[2] = {hn::Load(d, panel.values[k]), hn::Load(d, panel.values[k] + kLanes)};
    for (size_t r = 0; r < kRows; ++r) {
      const Vector value = hn::Set(d, x[r * inputs + k]);
      sums[r][0] = hn::MulAdd(value, w[0], sums[r][0]);
      sums[r][1] = hn::MulAdd(value, w[1], sums[r][1]);
    }
  }
  for (size_t i = 0; i < 2 && i * kLanes < count; ++i) {
    const size_t first = output + i * kLanes;
    const size_t stored = HWY_MIN(kLanes, count - i * kLanes);
    for (size_t r = 0; r < kRows; ++r) {
      StoreFirst(Finished(d, sums[r][i], *product.finish, first, stored), d,
                 product.y + (row + r) * product.weights->outputs + first, stored);
    }
  }
}

template <size_t kRows>
HWY_INLINE void MultiplyPanelBy(size_t rows, const FloatProduct& product, size_t row,
                                const FloatPanel& panel, size_t output, size_t count) {
  if (rows == kRows) return MultiplyPanel<kRows>(product, row, panel, output, count);
  if constexpr (kRows > 1) MultiplyPanelBy<kRows - 1>(rows, product, row, panel, output, count);
}

template <class Weight>
void MultiplyShortRows(const FloatProduct& product, const FloatPart& part) {
  FloatPanel panel;
  const size_t tiles = DivideUp(part.rows, kShortTileRows);
  const size_t end = part.first_output + part.outputs;
  for (size_t n = part.first_output; n < end; n += kPanelOutputs) {
    const size_t count = HWY_MIN(kPanelOutputs, end - n);
    ReadPanel<Weight>(*product.weights, n, count, &panel);
    for (size_t t = 0; t < tiles; ++t) {
      const size_t from = part.rows * t / tiles;
      const size_t to = part.rows * (t + 1) / tiles;
      MultiplyPanelBy<kShortTileRows>(to - from, product, part.first_row + from, panel, n, count);
    }
  }
}

}  // namespace onepack::linear::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ONEPACK_LINEAR_SHORT_ROWS_INL_H_
