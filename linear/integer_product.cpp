// Quantized activations by integer weights, panel by panel, and sums of the weights.

#include <pthreadpool.h>
#include <string.h>

#include <type_traits>

#include "base/rounding.h"
#include "linear/activation_layout.h"
#include "linear/linear.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "linear/integer_product.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "linear/outputs-inl.h"
#include "linear/panel-inl.h"
#include "linear/rows-inl.h"
#include "linear/tile-inl.h"

#ifndef ONEPACK_LINEAR_INTEGER_PRODUCT_ONCE_
#define ONEPACK_LINEAR_INTEGER_PRODUCT_ONCE_
namespace onepack::linear {
namespace {

struct Product {
  Weights weights;
  ActivationLayout layout;
  const uint8_t* quantized = nullptr;
  const float* sums = nullptr;
  Finish finish;
  float* y = nullptr;
};

// Rows of activations that pass while a panel is in the cache. With more, they would not stay in
// the second-level cache themselves until the next panel.
constexpr size_t kStripRows = 192;
constexpr size_t kManyTiles = 6;

}  // namespace
}  // namespace onepack::linear
#endif  // ONEPACK_LINEAR_INTEGER_PRODUCT_ONCE_

HWY_BEFORE_NAMESPACE();
namespace onepack::linear::HWY_NAMESPACE {
namespace {

// What a type of weights is made of.
struct Int4Blocks {
  using Storage = Int4Storage;
  using Sums = BlockSums;
};
struct Int4Channels {
  using Storage = Int4Storage;
  using Sums = ChannelSums<Int4Dot>;
};
struct Int8Channels {
  using Storage = Int8Storage;
  using Sums = ChannelSums<Int8Dot>;
};

template <class Call>
void WithTypeOf(const Weights& weights, const Call& call) {
  switch (weights.type) {
    case WeightType::kInt4Blocks:
      return call(Int4Blocks());
    case WeightType::kInt4Channels:
      return call(Int4Channels());
    default:
      return call(Int8Channels());
  }
}

// The rows of weights.
template <class Type>
struct WeightRows {
  explicit WeightRows(const Weights& weights)
      : groups(DivideUp(weights.inputs, kGroupInputs)),
        block_groups(weights.block_size / kGroupInputs),
        value_bytes(Type::Storage::RowBytes(weights.inputs)),
        scale_bytes(block_groups == 0 ? 0 : groups / block_groups * sizeof(uint16_t)),
        values(weights.values),
        scales(weights.scales) {}

  const uint8_t* ValuesOf(size_t output) const { return values + output * value_bytes; }
  // Of weights in blocks.
  const uint8_t* ScalesOf(size_t output) const { return scales + output * scale_bytes; }

  size_t groups;
  size_t block_groups;  // groups that share a scale; 0 for weights without blocks
  size_t value_bytes;   // of a row
  size_t scale_bytes;
  const uint8_t* values;
  const uint8_t* scales;
};

// The weights of one panel.
template <class Type>
struct PanelReader {
  PanelReader(const Weights& weights, size_t first)
      : PanelReader(WeightRows<Type>(weights), first, weights.outputs) {}
  PanelReader(const WeightRows<Type>& rows, size_t first, size_t outputs)
      : groups(rows.groups),
        block_groups(rows.block_groups),
        values(rows.values, rows.value_bytes, first, outputs),
        scales(rows.scales, rows.scale_bytes, first, outputs) {}

  void ReadQuads(size_t first_group, size_t count, uint8_t* quads) const {
    FillQuads<typename Type::Storage>(values, first_group, count, quads);
  }
  void ReadScales(size_t first_group, size_t count, float* to) const {
    if (block_groups != 0) FillScales(scales, block_groups, first_group, count, to);
  }

  size_t groups;
  size_t block_groups;
  PanelRows values;
  PanelRows scales;
};

// Sums of kRows rows of a tile, over a part of the inputs.
template <class Sums, size_t kRows>
void MultiplyTile(const Panel& panel, size_t groups, const uint8_t* activations, NextPanel& next,
                  bool is_first, bool is_last, const uint8_t* headers, const OutputTerms& terms,
                  const Outputs& outputs) {
  typename Sums::Sum sums[kRows][kPanelVectors];
  if (is_first) {
    BeginSums<Sums>(terms, headers, sums);
  } else {
    LoadSums<Sums>(outputs, sums);
  }
  AddPanel<Sums>(panel, groups, activations, next, sums);
  if (is_last) {
    FinishSums<Sums>(terms, headers, sums, outputs);
  } else {
    StoreSums<Sums>(sums, outputs);
  }
}

// Calls with the number as a constant.
template <size_t kMost, class Call>
HWY_INLINE void WithRows(size_t rows, const Call& call) {
  if (rows == kMost) return call(std::integral_constant<size_t, kMost>());
  if constexpr (kMost > 1) WithRows<kMost - 1>(rows, call);
}

// One panel by the tiles from `first_tile` up to `end_tile`.
template <class Type>
void MultiplyPanel(const Product& product, size_t first_output, size_t first_tile,
                   size_t end_tile) {
  const Weights& weights = product.weights;
  const ActivationLayout& layout = product.layout;
  const PanelReader<Type> reader(weights, first_output);
  const OutputTerms terms(weights, product.sums, product.finish, first_output);
  Panel panel;
  const size_t tiles = end_tile - first_tile;
  NextPanel next(reader.values, reader.scales, tiles * reader.groups);
  // With few rows most of the time goes into reading weights: smaller panels leave more of the
  // first-level cache to those that are on their way.
  const size_t most = tiles < kManyTiles ? kPanelGroups / 2 : kPanelGroups;
  for (size_t group = 0; group < reader.groups; group += most) {
    const size_t groups = HWY_MIN(reader.groups - group, most);
    reader.ReadQuads(group, groups, panel.quads);
    reader.ReadScales(group, groups, panel.scales);
    for (size_t tile = first_tile; tile < end_tile; ++tile) {
      const size_t row = layout.FirstRow(tile);
      const Outputs outputs = {product.y + row * weights.outputs + first_output, weights.outputs,
                               terms.count};
      WithRows<kMaxTileRows>(layout.TileRows(tile), [&](auto rows) HWY_ATTR {
        const uint8_t* activations =
            product.quantized + layout.TileOffset(tile) + group * rows * layout.GroupBytes();
        MultiplyTile<typename Type::Sums, rows>(
            panel, groups, activations, next, group == 0, group + groups == reader.groups,
            product.quantized + row * sizeof(RowHeader), terms, outputs);
      });
    }
  }
}

// All of few rows by weights, panel by panel.
template <class Type, size_t kRows>
class RowsProduct {
 public:
  explicit RowsProduct(const Product& product) : product_(product), weights_(product.weights) {
    for (size_t m = 0; m < kRows; ++m) {
      const ActivationLayout::RowPlaces places = product.layout.PlacesOf(m);
      rows_.starts[m] = product.quantized + places.start;
      rows_.q[m] = product.quantized + places.quads;
    }
  }

  void Multiply(size_t first_panel, size_t end_panel) const {
    if constexpr (Sums::kStartBytes != 0) {
      const RowScales scales(weights_.groups, weights_.block_groups);
      scales.WithCount([&](auto count) HWY_ATTR {
        for (size_t i = first_panel; i < end_panel; ++i) {
          MultiplyPanel(i * kPanelOutputs, [&](size_t n, float* sums) HWY_ATTR {
            SumBlocks<count>(weights_.ValuesOf(n), weights_.value_bytes, weights_.ScalesOf(n),
                             scales, rows_, sums, kPanelOutputs);
          });
        }
      });
    } else {
      for (size_t i = first_panel; i < end_panel; ++i) {
        MultiplyPanel(i * kPanelOutputs, [&](size_t n, int32_t* sums) HWY_ATTR {
          SumChannel<Type>(weights_.ValuesOf(n), weights_.value_bytes, rows_, sums, kPanelOutputs);
        });
      }
    }
  }

 private:
  using Sums = typename Type::Sums;
  using Sum = typename Sums::Sum;

  // `sum_row` writes the sums over all inputs of one output.
  template <class SumRow>
  HWY_INLINE void MultiplyPanel(size_t first, const SumRow& sum_row) const {
    const OutputTerms terms(product_.weights, product_.sums, product_.finish, first);
    HWY_ALIGN hn::TFromV<Sum> products[kRows * kPanelOutputs] = {};
    for (size_t i = 0; i < terms.count; ++i) sum_row(first + i, products + i);
    Sum sums[kRows][kPanelVectors];
    BeginSums<Sums>(terms, product_.quantized, sums);
    const hn::DFromV<Sum> d;
    for (size_t m = 0; m < kRows; ++m) {
      for (size_t v = 0; v < kPanelVectors; ++v) {
        sums[m][v] = hn::Add(sums[m][v], hn::Load(d, products + m * kPanelOutputs + v * kLanes));
      }
    }
    FinishSums<Sums>(terms, product_.quantized, sums,
                     {product_.y + first, product_.weights.outputs, terms.count});
  }

  const Product& product_;
  const WeightRows<Type> weights_;
  FewRows<kRows> rows_;
};

template <class Type>
void MultiplyPanelsOf(const Product& product, size_t first, size_t end) {
  const size_t tiles = product.layout.tiles();
  if (product.layout.is_row_by_row()) {
    WithRows<kFewRows>(
        tiles, [&](auto rows) HWY_ATTR { RowsProduct<Type, rows>(product).Multiply(first, end); });
    return;
  }
  constexpr size_t kStripTiles = kStripRows / kMaxTileRows;
  for (size_t tile = 0; tile < tiles; tile += kStripTiles) {
    for (size_t i = first; i < end; ++i) {
      MultiplyPanel<Type>(product, i * kPanelOutputs, tile, HWY_MIN(tile + kStripTiles, tiles));
    }
  }
}

void MultiplyPanels(const Product& product, size_t first, size_t count) {
  WithTypeOf(product.weights, [&](auto type) HWY_ATTR {
    MultiplyPanelsOf<decltype(type)>(product, first, first + count);
  });
}

// What every vector of weights meets: the sums of weights are products with it.
struct Ones {
  Ones() {
    for (size_t block = 0; block < kBlocks; ++block) {
      starts[4 * block] = -8 * static_cast<int32_t>(kGroupInputs);
    }
    for (uint8_t& one : q) one = 1;
  }
  FewRows<1> row() const { return {{reinterpret_cast<const uint8_t*>(starts)}, {q}}; }

  HWY_ALIGN int32_t starts[kLanes] = {};
  HWY_ALIGN uint8_t q[2 * kVectorBytes];
};

void SumBlockWeights(const Weights& weights, size_t first, size_t count, float* sums) {
  const WeightRows<Int4Blocks> rows(weights);
  const RowScales scales(rows.groups, rows.block_groups);
  const Ones ones;
  scales.WithCount([&](auto scale_count) HWY_ATTR {
    for (size_t i = 0; i < count; ++i) {
      const size_t n = first + i;
      SumBlocks<scale_count, Activations::kOfEveryStep>(
          rows.ValuesOf(n), rows.value_bytes, rows.ScalesOf(n), scales, ones.row(), sums + i, 0);
    }
  });
}

template <class Type>
void SumChannelWeights(const Weights& weights, size_t first, size_t count, float* sums) {
  constexpr bool kIsInt4 = std::is_same_v<typename Type::Storage, Int4Storage>;
  const WeightRows<Type> rows(weights);
  const Ones ones;
  for (size_t i = 0; i < count; ++i) {
    const uint8_t* values = rows.ValuesOf(first + i);
    int32_t sum = 0;
    SumChannel<Type, Activations::kOfEveryStep>(values, rows.value_bytes, ones.row(), &sum, 0);
    if (kIsInt4) {
      sum -= 8 * static_cast<int32_t>(weights.inputs);
      // The other half of the last byte is no weight.
      if (weights.inputs % 2 != 0) sum -= values[rows.value_bytes - 1] >> 4;
    }
    sums[i] = static_cast<float>(sum);
  }
}

void SumWeights(const Weights& weights, size_t first, size_t count, float* sums) {
  WithTypeOf(weights, [&](auto type) HWY_ATTR {
    using Type = decltype(type);
    if constexpr (Type::Sums::kStartBytes != 0) {
      SumBlockWeights(weights, first, count, sums);
    } else {
      SumChannelWeights<Type>(weights, first, count, sums);
    }
  });
}

size_t PanelOutputs() { return kPanelOutputs; }

}  // namespace
}  // namespace onepack::linear::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace onepack::linear {
namespace {

HWY_EXPORT(MultiplyPanels);
HWY_EXPORT(PanelOutputs);
HWY_EXPORT(SumWeights);

// Products below which waking the other threads takes longer than they save.
constexpr size_t kLeastSharedProducts = size_t{1} << 18;
// Tasks for each thread, so that none waits long for the last.
constexpr size_t kTasksPerThread = 8;

void RunTask(void* context, size_t first, size_t count) {
  HWY_DYNAMIC_DISPATCH(MultiplyPanels)(*static_cast<const Product*>(context), first, count);
}

}  // namespace

void WeightSums(const Weights& weights, size_t first, size_t count, float* sums) {
  HWY_DYNAMIC_DISPATCH(SumWeights)(weights, first, count, sums);
}

void MultiplyQuantized(const uint8_t* quantized, size_t rows, const Weights& weights,
                       const float* sums, const Finish& finish, float* y, pthreadpool* pool) {
  if (rows == 0 || weights.outputs == 0) return;
  Product product = {weights, LayoutOf(FormFor(weights), rows), quantized, sums, finish, y};
  const size_t panel_outputs = HWY_DYNAMIC_DISPATCH(PanelOutputs)();
  const size_t panels = DivideUp(weights.outputs, panel_outputs);
  if (rows * weights.outputs * weights.inputs < kLeastSharedProducts) pool = nullptr;
  const size_t tasks = pthreadpool_get_threads_count(pool) * kTasksPerThread;
  // Numbers too small for a full mantissa are zeros, as XNNPACK has them.
  pthreadpool_parallelize_1d_tile_1d(pool, RunTask, &product, panels, DivideUp(panels, tasks),
                                     PTHREADPOOL_FLAG_DISABLE_DENORMALS);
}

}  // namespace onepack::linear
#endif  // HWY_ONCE
