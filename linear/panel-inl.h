// A panel: some inputs of as many outputs as are computed at once, as the kernels take them.
// Weights lie in rows, one for each output; a dot product in vectors wants the same inputs of all
// outputs side by side. So each panel is transposed into a buffer that stays in the first-level
// cache, for all rows of activations. Here are all partial vectors, too: the kernels know none.
// Included once for each target.

#if defined(ONEPACK_LINEAR_PANEL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ONEPACK_LINEAR_PANEL_INL_H_
#undef ONEPACK_LINEAR_PANEL_INL_H_
#else
#define ONEPACK_LINEAR_PANEL_INL_H_
#endif

#include <string.h>

#include "hwy/cache_control.h"
#include "linear/activation_layout.h"
#include "linear/linear.h"
#include "linear/target-inl.h"

HWY_BEFORE_NAMESPACE();
namespace onepack::linear::HWY_NAMESPACE {

// Groups of inputs in a panel.
constexpr size_t kPanelGroups = 16;

struct Panel {
  // [groups][kGroupQuads][kPanelOutputs][kQuadInputs]
  HWY_ALIGN uint8_t quads[kPanelGroups * kGroupInputs * kPanelOutputs];
  // Of kInt4Blocks: [groups][kPanelOutputs]
  HWY_ALIGN float scales[kPanelGroups * kPanelOutputs];
};

// The outputs of a panel, the last one repeated where the weights have fewer.
struct PanelRows {
  PanelRows(const uint8_t* values, size_t bytes_of_row, size_t first, size_t outputs)
      : row_bytes(bytes_of_row) {
    for (size_t i = 0; i < kPanelOutputs; ++i) {
      begin[i] = values + HWY_MIN(first + i, outputs - 1) * row_bytes;
    }
  }
  size_t bytes() const { return kPanelOutputs * row_bytes; }
  // Where the next panel begins.
  const uint8_t* end() const { return begin[0] + bytes(); }

  size_t row_bytes;
  const uint8_t* begin[kPanelOutputs];
};

using D16Bytes = hn::FixedTag<uint8_t, 16>;

// How much of 16 bytes is there.
struct WholeBlock {
  HWY_INLINE hn::Vec<D16Bytes> operator()(const uint8_t* p) const {
    return hn::LoadU(D16Bytes(), p);
  }
};
struct PartOfBlock {
  size_t bytes;
  HWY_INLINE hn::Vec<D16Bytes> operator()(const uint8_t* p) const {
    return hn::LoadN(D16Bytes(), p, bytes);
  }
};

// Blocks of 16 bytes of every fourth row.
template <class Load>
HWY_INLINE VU32 LoadEveryFourth(const uint8_t* const* rows, size_t offset, const Load& load) {
  VU8 v = hn::ResizeBitCast(DU8(), load(rows[0] + offset));
#if HWY_MAX_BYTES > 16
  v = hn::InsertBlock<1>(v, load(rows[4] + offset));
#endif
#if HWY_MAX_BYTES > 32
  v = hn::InsertBlock<2>(v, load(rows[8] + offset));
  v = hn::InsertBlock<3>(v, load(rows[12] + offset));
#endif
  return hn::BitCast(DU32(), v);
}

// Of kLanes rows 16 bytes each: in `columns[i]` bytes 4 i to 4 i + 3 of all rows.
template <class Load>
HWY_INLINE void LoadColumns(const uint8_t* const* rows, size_t offset, const Load& load,
                            VU32 (&columns)[4]) {
  const VU32 row0 = LoadEveryFourth(rows, offset, load);
  const VU32 row1 = LoadEveryFourth(rows + 1, offset, load);
  const VU32 row2 = LoadEveryFourth(rows + 2, offset, load);
  const VU32 row3 = LoadEveryFourth(rows + 3, offset, load);
  const hn::Repartition<uint64_t, DU32> d64;
  const auto lower01 = hn::BitCast(d64, hn::InterleaveLower(DU32(), row0, row1));
  const auto upper01 = hn::BitCast(d64, hn::InterleaveUpper(DU32(), row0, row1));
  const auto lower23 = hn::BitCast(d64, hn::InterleaveLower(DU32(), row2, row3));
  const auto upper23 = hn::BitCast(d64, hn::InterleaveUpper(DU32(), row2, row3));
  columns[0] = hn::BitCast(DU32(), hn::InterleaveLower(d64, lower01, lower23));
  columns[1] = hn::BitCast(DU32(), hn::InterleaveUpper(d64, lower01, lower23));
  columns[2] = hn::BitCast(DU32(), hn::InterleaveLower(d64, upper01, upper23));
  columns[3] = hn::BitCast(DU32(), hn::InterleaveUpper(d64, upper01, upper23));
}

// Where a vector of outputs of a quad is.
HWY_INLINE uint8_t* QuadAt(uint8_t* group, size_t quad, size_t vector) {
  return group + (quad * kPanelVectors + vector) * kVectorBytes;
}

// How a group of inputs of one row is stored.
struct Int4Storage {
  static constexpr size_t kGroupBytes = kGroupInputs / 2;

  static size_t RowBytes(size_t inputs) { return (inputs + 1) / 2; }

  // Of each four bytes of a row, the even inputs and the odd inputs.
  template <class Load>
  static HWY_INLINE void StoreBlock(const uint8_t* const* rows, size_t offset, const Load& load,
                                    size_t /*block*/, size_t vector, uint8_t* group) {
    VU32 columns[4];
    LoadColumns(rows, offset, load, columns);
    const VU32 low_half = hn::Set(DU32(), 0x0F0F0F0FU);
    for (size_t i = 0; i < 4; ++i) {
      const VU32 even = hn::And(columns[i], low_half);
      const VU32 odd = hn::And(hn::ShiftRight<4>(columns[i]), low_half);
      hn::Store(hn::BitCast(DU8(), even), DU8(), QuadAt(group, 2 * i, vector));
      hn::Store(hn::BitCast(DU8(), odd), DU8(), QuadAt(group, 2 * i + 1, vector));
    }
  }
};

struct Int8Storage {
  static constexpr size_t kGroupBytes = kGroupInputs;

  static size_t RowBytes(size_t inputs) { return inputs; }

  template <class Load>
  static HWY_INLINE void StoreBlock(const uint8_t* const* rows, size_t offset, const Load& load,
                                    size_t block, size_t vector, uint8_t* group) {
    VU32 columns[4];
    LoadColumns(rows, offset, load, columns);
    for (size_t i = 0; i < 4; ++i) {
      hn::Store(hn::BitCast(DU8(), columns[i]), DU8(), QuadAt(group, 4 * block + i, vector));
    }
  }
};

// Asks for bytes in the order of addresses, a few lines of the cache at a time: memory then answers
// while products are computed. All at once they would wait for each other, and the products for
// them. Addresses beside the weights may be among them: nothing is read there.
class PrefetchAhead {
 public:
  // `bytes` from `begin` on, in so many steps.
  PrefetchAhead(const uint8_t* begin, size_t bytes, size_t steps)
      : next_(begin), left_(DivideUp(bytes, kLine)), lines_(DivideUp(left_, steps)) {}

  HWY_INLINE void Step() {
    for (size_t i = 0; i < lines_ && left_ != 0; ++i, --left_, next_ += kLine) {
      hwy::Prefetch(next_);
    }
  }

 private:
  static constexpr size_t kLine = 64;

  const uint8_t* next_;
  size_t left_;
  const size_t lines_;  // of a step
};

template <class Storage>
void FillQuads(const PanelRows& rows, size_t first_group, size_t groups, uint8_t* quads) {
  constexpr size_t kGroupOutputBytes = kGroupInputs * kPanelOutputs;
  for (size_t g = 0; g < groups; ++g) {
    const size_t offset = (first_group + g) * Storage::kGroupBytes;
    uint8_t* group = quads + g * kGroupOutputBytes;
    const bool is_whole = offset + Storage::kGroupBytes <= rows.row_bytes;
    for (size_t vector = 0; vector < kPanelVectors; ++vector) {
      const uint8_t* const* begin = rows.begin + vector * kLanes;
      for (size_t block = 0; block < Storage::kGroupBytes / 16; ++block) {
        const size_t at = offset + block * 16;
        if (is_whole) {
          Storage::StoreBlock(begin, at, WholeBlock(), block, vector, group);
        } else {
          const size_t left = at < rows.row_bytes ? HWY_MIN(rows.row_bytes - at, size_t{16}) : 0;
          const size_t from = HWY_MIN(at, rows.row_bytes);
          Storage::StoreBlock(begin, from, PartOfBlock{left}, block, vector, group);
        }
      }
    }
  }
}

// Scales of eight blocks, from the one at `block` on, of one vector of outputs.
HWY_INLINE void LoadScales(const PanelRows& rows, size_t block, size_t vector, VF (&scales)[8]) {
  const size_t offset = block * sizeof(uint16_t);
  const size_t left = rows.row_bytes - offset;
  const uint8_t* const* begin = rows.begin + vector * kLanes;
  VU32 columns[4];
  if (left >= 16) {
    LoadColumns(begin, offset, WholeBlock(), columns);
  } else {
    LoadColumns(begin, offset, PartOfBlock{left}, columns);
  }
  const VU32 upper_half = hn::Set(DU32(), 0xFFFF0000U);
  for (size_t i = 0; i < 4; ++i) {
    scales[2 * i] = hn::BitCast(DF(), hn::ShiftLeft<16>(columns[i]));
    scales[2 * i + 1] = hn::BitCast(DF(), hn::And(columns[i], upper_half));
  }
}

// The panel that is computed after this one. Its scales stand apart from the values, and are too
// few for the processor to see that they are read in order.
class NextPanel {
 public:
  // It is asked for in so many steps.
  NextPanel(const PanelRows& values, const PanelRows& scales, size_t steps)
      : values_(values.end(), values.bytes(), steps),
        scales_(scales.end(), scales.bytes(), steps) {}

  HWY_INLINE void Prefetch() {
    values_.Step();
    scales_.Step();
  }

 private:
  PrefetchAhead values_;
  PrefetchAhead scales_;
};

// `block_groups`: groups that share a scale.
HWY_INLINE void FillScales(const PanelRows& rows, size_t block_groups, size_t first_group,
                           size_t groups, float* scales) {
  const size_t blocks = rows.row_bytes / sizeof(uint16_t);
  const size_t end = DivideUp(first_group + groups, block_groups);
  for (size_t block = first_group / block_groups; block < end; block += 8) {
    for (size_t vector = 0; vector < kPanelVectors; ++vector) {
      VF loaded[8];
      LoadScales(rows, block, vector, loaded);
      HWY_UNROLL(8)
      for (size_t i = 0; i < 8; ++i) {
        if (block + i >= HWY_MIN(end, blocks)) break;
        const size_t begin = HWY_MAX((block + i) * block_groups, first_group);
        const size_t past = HWY_MIN((block + i + 1) * block_groups, first_group + groups);
        for (size_t g = begin; g < past; ++g) {
          const size_t at = (g - first_group) * kPanelVectors + vector;
          hn::Store(loaded[i], DF(), scales + at * kLanes);
        }
      }
    }
  }
}

}  // namespace onepack::linear::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ONEPACK_LINEAR_PANEL_INL_H_
