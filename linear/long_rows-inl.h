// Products along rows of weights: a vector of partial sums for each result, added up at the end.
// One copy for each target of Highway.
//
// A row is taken in chunks that fit the first level of the cache. The order of all additions
// follows from the number of inputs alone.

#if defined(ONEPACK_LINEAR_LONG_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ONEPACK_LINEAR_LONG_ROWS_INL_H_
#undef ONEPACK_LINEAR_LONG_ROWS_INL_H_
#else
#define ONEPACK_LINEAR_LONG_ROWS_INL_H_
#endif

#include <stddef.h>
#include <stdint.h>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "linear/float_finish-inl.h"
#include "linear/float_product.h"
#include "linear/float_vectors-inl.h"
#include "linear/float_weights-inl.h"

HWY_BEFORE_NAMESPACE();
namespace onepack::linear::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

static_assert(kWeightRows == kLongRowOutputs, "parts are whole tiles");

constexpr size_t kChunk = 512;        // inputs
constexpr size_t kStripOutputs = 96;  // whose chunks stay in the second level of the cache
// Weights that are needed soon: four lines of the cache at a time.
struct Prefetching {
  const uint8_t* first;
  size_t step;  // bytes for each input
  size_t line;  // bytes from one of the four to the next
};

// A chunk of up to four rows of weights.
struct LongTile {
  const uint8_t* rows[kWeightRows];  // where there are fewer, the first one again
  size_t inputs;
  Prefetching next;
};

template <class Weight, size_t kRows>
HWY_INLINE void SumProducts(const float* x, size_t distance, const LongTile& tile,
                            Vector (&sums)[kRows][kWeightRows]) {
  const Floats d;
  for (auto& row : sums) {
    for (Vector& sum : row) sum = hn::Zero(d);
  }
  const auto add = [&](const Vector(&w)[kWeightRows], auto load) HWY_ATTR {
    for (size_t r = 0; r < kRows; ++r) {
      const Vector values = load(x + r * distance);
      for (size_t n = 0; n < kWeightRows; ++n) {
        sums[r][n] = hn::MulAdd(values, w[n], sums[r][n]);
      }
    }
  };
  constexpr size_t kSize = sizeof(typename Weight::Bits);
  size_t k = 0;
  for (; k + kLanes <= tile.inputs; k += kLanes) {
    Vector w[kWeightRows];
    for (size_t n = 0; n < kWeightRows; ++n) {
      hwy::Prefetch(tile.next.first + k * tile.next.step + n * tile.next.line);
      w[n] = LoadWeights<Weight>(tile.rows[n] + k * kSize);
    }
    add(w, [k](const float* row) HWY_ATTR { return hn::LoadU(Floats(), row + k); });
  }
  if (k == tile.inputs) return;
  Vector w[kWeightRows];
  const size_t count = tile.inputs - k;
  for (size_t n = 0; n < kWeightRows; ++n) {
    w[n] = LoadFirstWeights<Weight>(tile.rows[n] + k * kSize, count);
  }
  add(w, [k, count](const float* row) HWY_ATTR { return hn::LoadN(Floats(), row + k, count); });
}

struct Chunk {
  size_t first = 0;
  size_t inputs = 0;
};

// Whether all chunks of a row follow each other, or one chunk is needed for many rows.
enum class Order { kRowByRow, kChunkByChunk };

template <class Weight>
HWY_INLINE LongTile TileOf(const Weights& weights, size_t output, size_t count, const Chunk& chunk,
                           Order order) {
  constexpr size_t kSize = sizeof(typename Weight::Bits);
  constexpr size_t kLine = 64;
  const size_t row_bytes = weights.inputs * kSize;
  const uint8_t* const first = weights.values + output * row_bytes + chunk.first * kSize;
  LongTile tile;
  for (size_t i = 0; i < kWeightRows; ++i) {
    tile.rows[i] = first + (i < count ? i : 0) * row_bytes;
  }
  tile.inputs = chunk.inputs;
  const bool is_last = output + 2 * kWeightRows > weights.outputs;
  const size_t group_bytes = kWeightRows * row_bytes;
  if (is_last) {
    tile.next = {first, 0, 0};
  } else if (order == Order::kChunkByChunk) {
    tile.next = {first + group_bytes, kSize, row_bytes};
  } else {  // as they lie in memory
    constexpr size_t kAllSizes = kWeightRows * kSize;
    tile.next = {first + group_bytes + chunk.first * (kAllSizes - kSize), kAllSizes, kLine};
  }
  return tile;
}

// A chunk of kRows rows of activations from `row` on, and of the weights of some outputs.
template <class Weight, size_t kRows>
void MultiplyStrip(const FloatProduct& product, size_t row, const FloatPart& strip,
                   const Chunk& chunk, Order order) {
  const size_t inputs = product.weights->inputs;
  const size_t outputs = product.weights->outputs;
  const size_t end = strip.first_output + strip.outputs;
  for (size_t n = strip.first_output; n < end; n += kWeightRows) {
    const size_t count = HWY_MIN(kWeightRows, end - n);
    Vector partial[kRows][kWeightRows];
    SumProducts<Weight>(product.x + row * inputs + chunk.first, inputs,
                        TileOf<Weight>(*product.weights, n, count, chunk, order), partial);
    for (size_t r = 0; r < kRows; ++r) {
      const FourSums d;
      float* const y = product.y + (row + r) * outputs + n;
      auto sums = SumsOfElements(partial[r]);
      if (chunk.first > 0) sums = hn::Add(LoadFirst(d, y, count), sums);
      if (chunk.first + chunk.inputs == inputs) {
        sums = Finished(d, sums, *product.finish, n, count);
      }
      StoreFirst(sums, d, y, count);
    }
  }
}

template <class Weight, size_t kRows>
HWY_INLINE void MultiplyStripBy(size_t rows, const FloatProduct& product, size_t row,
                                const FloatPart& strip, const Chunk& chunk, Order order) {
  if (rows == kRows) return MultiplyStrip<Weight, kRows>(product, row, strip, chunk, order);
  if constexpr (kRows > 1) {
    MultiplyStripBy<Weight, kRows - 1>(rows, product, row, strip, chunk, order);
  }
}

template <class Weight>
void MultiplyLongRows(const FloatProduct& product, const FloatPart& part) {
  const size_t tiles = DivideUp(part.rows, kTileRows);
  const Order order = tiles == 1 ? Order::kRowByRow : Order::kChunkByChunk;
  const size_t strip_outputs = tiles == 1 ? kWeightRows : kStripOutputs;
  FloatPart strip = part;
  for (size_t n = 0; n < part.outputs; n += strip_outputs) {
    strip.first_output = part.first_output + n;
    strip.outputs = HWY_MIN(strip_outputs, part.outputs - n);
    for (size_t k = 0; k < product.weights->inputs; k += kChunk) {
      const Chunk chunk{k, HWY_MIN(kChunk, product.weights->inputs - k)};
      for (size_t t = 0; t < tiles; ++t) {  // of nearly the same size
        const size_t from = part.rows * t / tiles;
        const size_t to = part.rows * (t + 1) / tiles;
        MultiplyStripBy<Weight, kTileRows>(to - from, product, part.first_row + from, strip, chunk,
                                           order);
      }
    }
  }
}

}  // namespace onepack::linear::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ONEPACK_LINEAR_LONG_ROWS_INL_H_
