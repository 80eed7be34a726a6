// Where quantized activations stand in the buffer between Quantize and MultiplyQuantized.
//
// First a header for each row. Inputs are in groups of 32, and a group is eight quads of four: of
// int8 the inputs one after the other, of int4 four even inputs and then the four odd ones between
// them, since a byte of weights has an even one and its neighbour. Sums of a group begin with a
// start, where weights have blocks. Inputs that fill up the last group are zeros.
//
// Many rows are in tiles, which the kernels multiply with weights at once. A tile is a run of
// groups, and a group is, for the `rows` of its tile,
//
//   int32 starts[rows]; int8 quads[8][rows][4]
//
// Few rows are one after the other, for kernels that read rows of weights as they are, a vector at
// a time. A row is
//
//   int32 starts[groups][4]; int8 steps[groups / step_groups][2 * step_groups][16]
//
// where a step is what a vector of weights meets: of int4 the even quads of all its groups, then
// the odd ones. A start is followed by three zeros: it is added to one of the four lanes that a
// group has.

#ifndef ONEPACK_LINEAR_ACTIVATION_LAYOUT_H_
#define ONEPACK_LINEAR_ACTIVATION_LAYOUT_H_

#include <stddef.h>
#include <stdint.h>

#include "base/rounding.h"
#include "linear/linear.h"

namespace onepack::linear {

inline constexpr size_t kGroupInputs = 32;
inline constexpr size_t kQuadInputs = 4;
inline constexpr size_t kGroupQuads = kGroupInputs / kQuadInputs;

struct RowHeader {
  float scale;
  int32_t zero_point;  // of the bytes that are stored
  int32_t start;       // what sums of the whole row start from, where weights have no blocks
};

// What the kernels of an instruction set take.
struct ActivationTarget {
  size_t max_tile_rows;
  size_t step_groups;  // of int4; at most kMaxStepGroups
};
inline constexpr size_t kMaxStepGroups = 4;

// Up to which rows stand one after the other.
inline constexpr size_t kFewRows = 4;

class ActivationLayout {
 public:
  ActivationLayout(const ActivationForm& form, size_t rows, const ActivationTarget& target)
      : rows_(rows),
        groups_(GroupsOf(form, target.step_groups)),
        step_groups_(rows <= kFewRows ? target.step_groups : 0),
        start_bytes_(form.block_size == 0 ? 0 : (is_row_by_row() ? 4 : 1) * sizeof(int32_t)),
        tiles_(is_row_by_row() ? rows : DivideUp(rows, target.max_tile_rows)),
        tile_rows_(tiles_ == 0 ? 0 : rows / tiles_),
        larger_tiles_(tiles_ == 0 ? 0 : rows % tiles_) {}

  // Bytes that are enough for every target.
  static size_t MaxBytes(const ActivationForm& form, size_t rows) {
    return ActivationLayout(form, rows, {1, kMaxStepGroups}).Bytes();
  }

  bool is_row_by_row() const { return step_groups_ != 0; }
  // A multiple of step_groups.
  size_t groups() const { return groups_; }

  size_t tiles() const { return tiles_; }
  size_t TileRows(size_t tile) const { return tile_rows_ + (tile < larger_tiles_ ? 1 : 0); }
  size_t FirstRow(size_t tile) const {
    return tile * tile_rows_ + (tile < larger_tiles_ ? tile : larger_tiles_);
  }
  size_t TileOf(size_t row) const {
    const size_t in_larger = larger_tiles_ * (tile_rows_ + 1);
    return row < in_larger ? row / (tile_rows_ + 1)
                           : larger_tiles_ + (row - in_larger) / tile_rows_;
  }

  // Of one row of a tile.
  size_t start_bytes() const { return start_bytes_; }
  size_t GroupBytes() const { return start_bytes_ + kGroupInputs; }

  // From the begin of the buffer on.
  size_t TileOffset(size_t tile) const {
    return HeaderBytes() + FirstRow(tile) * groups_ * GroupBytes();
  }
  // Where the parts of a row are.
  struct RowPlaces {
    size_t start;       // of the first group
    size_t start_step;  // from group to group
    size_t quads;       // of the first group
    size_t group_step;  // of tiles: from group to group
    size_t quad_step;   // of tiles: from quad to quad
  };
  RowPlaces PlacesOf(size_t row) const {
    const size_t tile = TileOf(row);
    const size_t begin = TileOffset(tile);
    if (is_row_by_row()) return {begin, start_bytes_, begin + groups_ * start_bytes_, 0, 0};
    const size_t rows = TileRows(tile);
    const size_t in_tile = row - FirstRow(tile);
    const size_t step = rows * GroupBytes();
    return {begin + in_tile * start_bytes_, step,
            begin + rows * start_bytes_ + in_tile * kQuadInputs, step, rows * kQuadInputs};
  }
  // Of rows one after the other: groups that a vector of weights has.
  size_t step_groups() const { return step_groups_; }

  size_t Bytes() const { return HeaderBytes() + rows_ * groups_ * GroupBytes(); }

 private:
  static size_t GroupsOf(const ActivationForm& form, size_t step_groups) {
    return RoundUp(DivideUp(form.inputs, kGroupInputs), step_groups);
  }
  size_t HeaderBytes() const { return RoundUp(rows_ * sizeof(RowHeader), kFormAlignment); }

  size_t rows_;
  size_t groups_;
  size_t step_groups_;  // 0: tiles
  size_t start_bytes_;
  size_t tiles_;
  size_t tile_rows_;
  size_t larger_tiles_;
};

// The layout that Quantize makes and MultiplyQuantized reads on this processor.
ActivationLayout LayoutOf(const ActivationForm& form, size_t rows);

}  // namespace onepack::linear

#endif  // ONEPACK_LINEAR_ACTIVATION_LAYOUT_H_
