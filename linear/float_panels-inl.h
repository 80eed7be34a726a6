// Products with outputs in the lanes of vectors: a panel, some inputs of two vectors of outputs, is
// transposed once for all rows of activations, and stays in the second level of the cache
// meanwhile. For short rows of weights, and for many rows of activations. One copy for each target
// of Highway.
//
// The products of a result are added one after the other, in the order of the inputs.

#if defined(ONEPACK_LINEAR_FLOAT_PANELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ONEPACK_LINEAR_FLOAT_PANELS_INL_H_
#undef ONEPACK_LINEAR_FLOAT_PANELS_INL_H_
#else
#define ONEPACK_LINEAR_FLOAT_PANELS_INL_H_
#endif

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "hwy/highway.h"
#include "linear/float_finish-inl.h"
#include "linear/float_product.h"
#include "linear/float_weights-inl.h"
#include "linear/prefetch.h"

HWY_BEFORE_NAMESPACE();
namespace onepack::linear::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr size_t kPanelOutputs = 2 * kLanes;
static_assert(kFloatPanelOutputs % kPanelOutputs == 0, "a part is whole panels");
// The more inputs, the longer memory is read in the order of its addresses.
constexpr size_t kPanelBytes = 64 << 10;  // on the stack
constexpr size_t kPanelInputs = kPanelBytes / sizeof(float) / kPanelOutputs;
// Of panels of short rows, in the first level of the cache.
constexpr size_t kShortPanelsBytes = 16 << 10;  // on the stack
constexpr size_t kShortPanelsInputs = kShortPanelsBytes / sizeof(float) / kPanelOutputs;
static_assert(kMaxShortRow <= kShortPanelsInputs, "one of them at least");
constexpr size_t kStep = 4;  // inputs that are transposed together
// How far ahead memory is asked for what is read in the order of its addresses, at least.
constexpr size_t kBytesAhead = 8192;

// [input][output]
using PanelRow = float[kPanelOutputs];

// What is in a panel: some inputs of `count` outputs. Its vectors have zeros for those they lack.
struct PanelPlace {
  size_t output = 0;
  size_t count = 0;
  size_t input = 0;
  size_t inputs = 0;

  size_t vectors() const { return DivideUp(count, kLanes); }
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

// `from`: as many rows as the vectors have outputs, as if their length were a multiple of kStep.
template <class Weight>
HWY_INLINE void FillPanel(const uint8_t* from, size_t row_bytes, size_t inputs, size_t vectors,
                          PanelRow* panel) {
  constexpr size_t kSize = sizeof(typename Weight::Bits);
  for (size_t n = 0; n < vectors * kLanes; n += kLanes) {
    for (size_t k = 0; k < inputs; k += kStep) {
      Transpose<Weight>(from + n * row_bytes + k * kSize, row_bytes, panel[k] + n);
    }
  }
}

// Where a row that is missing, or read beyond its end, would be beside the weights.
template <class Weight>
void FillPanelFromCopies(const uint8_t* from, size_t row_bytes, const PanelPlace& place,
                         PanelRow* panel) {
  constexpr size_t kSize = sizeof(typename Weight::Bits);
  constexpr size_t kCopied = 64;  // inputs
  uint8_t copy[kPanelOutputs][kCopied * kSize] = {};
  for (size_t k = 0; k < place.inputs; k += kCopied) {
    const size_t inputs = HWY_MIN(kCopied, place.inputs - k);
    for (size_t n = 0; n < place.count; ++n) {
      memcpy(copy[n], from + n * row_bytes + k * kSize, inputs * kSize);
    }
    FillPanel<Weight>(copy[0], sizeof(copy[0]), inputs, place.vectors(), panel + k);
  }
}

template <class Weight>
HWY_INLINE void ReadPanel(const Weights& weights, const PanelPlace& place, PanelRow* panel) {
  constexpr size_t kSize = sizeof(typename Weight::Bits);
  const size_t row_bytes = weights.inputs * kSize;
  const size_t first = place.output * row_bytes + place.input * kSize;
  const size_t last_row = first + (place.vectors() * kLanes - 1) * row_bytes;
  const uint8_t* const from = weights.values + first;
  if (last_row + RoundUp(place.inputs, kStep) * kSize <= weights.outputs * row_bytes) {
    FillPanel<Weight>(from, row_bytes, place.inputs, place.vectors(), panel);
  } else {
    FillPanelFromCopies<Weight>(from, row_bytes, place, panel);
  }
}

// Weights that panels after this one are made of, asked for a few lines of the cache at a time:
// memory answers while products are computed. Some addresses may be beside the weights: nothing is
// read there.
class PanelAhead {
 public:
  // `bytes` of each of `rows`, from `first` on, in so many steps.
  PanelAhead(const uint8_t* first, size_t rows, size_t row_bytes, size_t bytes, size_t steps)
      : next_(reinterpret_cast<uintptr_t>(first)),
        lines_of_row_(DivideUp(bytes, kLine)),
        to_next_row_(row_bytes - lines_of_row_ * kLine),
        lines_of_step_(DivideUp(rows * lines_of_row_, steps)),
        left_(rows * lines_of_row_),
        left_of_row_(lines_of_row_) {}

  HWY_INLINE void Step() {
    for (size_t i = 0; i < lines_of_step_ && left_ != 0; ++i, --left_) {
      PrefetchToSecondLevel(reinterpret_cast<const void*>(next_));
      next_ += kLine;
      if (--left_of_row_ != 0) continue;
      next_ += to_next_row_;
      left_of_row_ = lines_of_row_;
    }
  }

 private:
  static constexpr size_t kLine = 64;

  uintptr_t next_;
  const size_t lines_of_row_;
  const size_t to_next_row_;  // may be below zero: modulo 2^64
  const size_t lines_of_step_;
  size_t left_;
  size_t left_of_row_;
};

// After whole rows of weights, `bytes` from `begin` on.
HWY_INLINE PanelAhead AfterWholeRows(const uint8_t* begin, size_t bytes, size_t steps) {
  return PanelAhead(begin + HWY_MAX(bytes, kBytesAhead), 1, bytes, bytes, steps);
}

// `step`: the inputs of all panels but the last ones.
template <class Weight>
HWY_INLINE PanelAhead After(const PanelPlace& place, const Weights& weights, size_t step,
                            size_t tiles) {
  constexpr size_t kSize = sizeof(typename Weight::Bits);
  const size_t row_bytes = weights.inputs * kSize;
  const size_t steps = tiles * DivideUp(place.inputs, kStep);
  const uint8_t* const begin = weights.values + place.output * row_bytes;
  const size_t bytes = kPanelOutputs * row_bytes;  // of all inputs
  if (place.inputs == weights.inputs) return AfterWholeRows(begin, bytes, steps);
  const size_t input = place.input + place.inputs;
  if (input == weights.inputs) {
    return PanelAhead(begin + bytes, kPanelOutputs, row_bytes, step * kSize, steps);
  }
  const size_t inputs = HWY_MIN(step, weights.inputs - input);
  return PanelAhead(begin + input * kSize, kPanelOutputs, row_bytes, inputs * kSize, steps);
}

// The sums of a tile, or of what there are of its outputs.
template <size_t kRows, size_t kVectors>
struct TileSums {
  Vector of[kRows][kVectors];

  // Zeros, or what the inputs before these have left in y.
  HWY_INLINE TileSums(const PanelPlace& place, const float* y, size_t outputs) {
    const Floats d;
    for (size_t r = 0; r < kRows; ++r) {
      for (size_t v = 0; v < kVectors; ++v) {
        of[r][v] = place.input == 0 ? hn::Zero(d)
                                    : LoadFirst(d, y + r * outputs + v * kLanes, CountOf(place, v));
      }
    }
  }

  static HWY_INLINE size_t CountOf(const PanelPlace& place, size_t v) {
    return HWY_MIN(kLanes, place.count - v * kLanes);
  }

  HWY_INLINE void Add(const float* weights, const float* x, size_t inputs) {
    const Floats d;
    Vector w[kVectors];
    for (size_t v = 0; v < kVectors; ++v) w[v] = hn::Load(d, weights + v * kLanes);
    for (size_t r = 0; r < kRows; ++r) {
      const Vector value = hn::Set(d, x[r * inputs]);
      for (size_t v = 0; v < kVectors; ++v) of[r][v] = hn::MulAdd(value, w[v], of[r][v]);
    }
  }

  HWY_INLINE void Finish(const PanelPlace& place, const onepack::linear::Finish& finish) {
    for (size_t v = 0; v < kVectors; ++v) {
      const Finisher<Floats> finisher(finish, place.output + v * kLanes, CountOf(place, v));
      for (size_t r = 0; r < kRows; ++r) of[r][v] = finisher.Finished(of[r][v]);
    }
  }

  HWY_INLINE void Store(const PanelPlace& place, float* y, size_t outputs) const {
    const Floats d;
    const bool is_whole = place.count == kVectors * kLanes;
    for (size_t r = 0; r < kRows; ++r) {
      for (size_t v = 0; v < kVectors; ++v) {
        float* const to = y + r * outputs + v * kLanes;
        if (is_whole) {
          hn::StoreU(of[r][v], d, to);
        } else {
          StoreFirst(of[r][v], d, to, CountOf(place, v));
        }
      }
    }
  }
};

// Adds to the sums that are in y, if there are inputs before these, and finishes them if there are
// none behind.
template <size_t kRows, size_t kVectors>
void MultiplyPanel(const FloatProduct& product, size_t row, const PanelRow* panel,
                   const PanelPlace& place, PanelAhead& ahead) {
  const size_t inputs = product.weights->inputs;
  const size_t outputs = product.weights->outputs;
  const float* const x = product.x + row * inputs + place.input;
  float* const y = product.y + row * outputs + place.output;
  TileSums<kRows, kVectors> sums(place, y, outputs);
  for (size_t k = 0; k < place.inputs; ++k) {
    if (k % kStep == 0) ahead.Step();
    sums.Add(panel[k], x + k, inputs);
  }
  if (place.input + place.inputs == inputs) sums.Finish(place, *product.finish);
  sums.Store(place, y, outputs);
}

template <size_t kRows>
HWY_INLINE void MultiplyPanelBy(size_t rows, const FloatProduct& product, size_t row,
                                const PanelRow* panel, const PanelPlace& place, PanelAhead& ahead) {
  if (rows != kRows) {
    if constexpr (kRows > 1) {
      MultiplyPanelBy<kRows - 1>(rows, product, row, panel, place, ahead);
    }
    return;
  }
  if (place.vectors() == 1) return MultiplyPanel<kRows, 1>(product, row, panel, place, ahead);
  MultiplyPanel<kRows, 2>(product, row, panel, place, ahead);
}

// multiply(first row, rows) for all rows of activations, a tile at a time.
template <class Multiply>
HWY_INLINE void ForEachTile(const FloatPart& part, const Multiply& multiply) {
  const size_t tiles = DivideUp(part.rows, kPanelTileRows);
  for (size_t t = 0; t < tiles; ++t) {  // of nearly the same size
    const size_t from = part.rows * t / tiles;
    const size_t to = part.rows * (t + 1) / tiles;
    multiply(part.first_row + from, to - from);
  }
}

// Of rows of at most kMaxShortRow inputs: some panels meet each tile, so that results are written
// in longer pieces of a row.
template <class Weight>
void MultiplyShortRows(const FloatProduct& product, const FloatPart& part) {
  HWY_ALIGN PanelRow panels[kShortPanelsInputs];
  const Weights& weights = *product.weights;
  const size_t inputs = weights.inputs;
  const size_t panel_inputs = RoundUp(inputs, kStep);
  const size_t group_outputs = kShortPanelsInputs / panel_inputs * kPanelOutputs;
  const size_t row_bytes = inputs * sizeof(typename Weight::Bits);
  const size_t tiles = DivideUp(part.rows, kPanelTileRows);
  const size_t end = part.first_output + part.outputs;
  for (size_t first = part.first_output; first < end; first += group_outputs) {
    const size_t group_end = HWY_MIN(end, first + group_outputs);
    const auto for_each_panel = [&](const auto& call) HWY_ATTR {
      PanelRow* panel = panels;
      for (size_t n = first; n < group_end; n += kPanelOutputs, panel += panel_inputs) {
        call(PanelPlace{n, HWY_MIN(kPanelOutputs, group_end - n), 0, inputs}, panel);
      }
    };
    for_each_panel([&](const PanelPlace& place, PanelRow* panel)
                       HWY_ATTR { ReadPanel<Weight>(weights, place, panel); });
    const size_t group_panels = DivideUp(group_end - first, kPanelOutputs);
    PanelAhead ahead = AfterWholeRows(weights.values + first * row_bytes, group_outputs * row_bytes,
                                      tiles * group_panels * (panel_inputs / kStep));
    ForEachTile(part, [&](size_t row, size_t rows) HWY_ATTR {
      for_each_panel([&](const PanelPlace& place, const PanelRow* panel) HWY_ATTR {
        MultiplyPanelBy<kPanelTileRows>(rows, product, row, panel, place, ahead);
      });
    });
  }
}

// Of rows of any length, a panel's inputs of them at a time.
template <class Weight>
void MultiplyPanels(const FloatProduct& product, const FloatPart& part) {
  HWY_ALIGN PanelRow panel[kPanelInputs];
  const Weights& weights = *product.weights;
  const size_t end = part.first_output + part.outputs;
  const size_t panels = DivideUp(weights.inputs, kPanelInputs);
  const size_t step = RoundUp(DivideUp(weights.inputs, panels), kStep);  // of nearly the same size
  for (size_t n = part.first_output; n < end; n += kPanelOutputs) {
    for (size_t k = 0; k < weights.inputs; k += step) {
      const PanelPlace place{n, HWY_MIN(kPanelOutputs, end - n), k,
                             HWY_MIN(step, weights.inputs - k)};
      ReadPanel<Weight>(weights, place, panel);
      PanelAhead ahead = After<Weight>(place, weights, step, DivideUp(part.rows, kPanelTileRows));
      ForEachTile(part, [&](size_t row, size_t rows) HWY_ATTR {
        MultiplyPanelBy<kPanelTileRows>(rows, product, row, panel, place, ahead);
      });
    }
  }
}

}  // namespace onepack::linear::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ONEPACK_LINEAR_FLOAT_PANELS_INL_H_
