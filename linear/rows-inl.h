// Few rows of activations by one row of weights after the other, as they lie: each byte of weights
// is read once, in the order of addresses, which is what memory is fastest with. Included once for
// each target.

#if defined(ONEPACK_LINEAR_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ONEPACK_LINEAR_ROWS_INL_H_
#undef ONEPACK_LINEAR_ROWS_INL_H_
#else
#define ONEPACK_LINEAR_ROWS_INL_H_
#endif

#include <string.h>

#include <type_traits>

#include "linear/activation_layout.h"
#include "linear/dot-inl.h"
#include "linear/panel-inl.h"
#include "linear/prefetch.h"

HWY_BEFORE_NAMESPACE();
namespace onepack::linear::HWY_NAMESPACE {

// How far ahead of what is read memory is asked for: measured.
constexpr size_t kBytesInFlight = 8192;

template <size_t kRows>
struct FewRows {
  const uint8_t* starts[kRows];  // a block of 16 bytes for each group, where weights have blocks
  const uint8_t* q[kRows];
};

// A vector of weights, split up for the activations that it meets.
template <class Storage>
struct Step;
template <>
struct Step<Int4Storage> {
  static constexpr size_t kActivationBytes = 2 * kVectorBytes;

  explicit HWY_INLINE Step(VU8 weights) {
    const VU8 low_half = hn::Set(DU8(), uint8_t{0x0F});
    even = hn::And(weights, low_half);
    odd = hn::And(hn::BitCast(DU8(), hn::ShiftRight<4>(hn::BitCast(DU16(), weights))), low_half);
  }
  // The start and the products, in the lanes of each group.
  template <class Dot>
  HWY_INLINE VI32 Products(VI32 start, const uint8_t* q) const {
    typename Dot::Sum sum = Dot::Begin(start);
    sum = Dot::Add(sum, even, hn::BitCast(DU32(), hn::LoadU(DU8(), q)));
    sum = Dot::Add(sum, odd, hn::BitCast(DU32(), hn::LoadU(DU8(), q + kVectorBytes)));
    return Dot::End(sum, start);
  }

  VU8 even;
  VU8 odd;
};
template <>
struct Step<Int8Storage> {
  static constexpr size_t kActivationBytes = kVectorBytes;

  explicit HWY_INLINE Step(VU8 some) : weights(some) {}
  template <class Dot>
  HWY_INLINE VI32 Products(VI32 start, const uint8_t* q) const {
    const auto activations = hn::BitCast(DU32(), hn::LoadU(DU8(), q));
    return Dot::End(Dot::Add(Dot::Begin(start), weights, activations), start);
  }

  VU8 weights;
};

// Calls add(number, weights, is_whole) for each vector of a row; zeros fill up the last one.
template <class Add>
HWY_INLINE void ForEachVector(const uint8_t* row, size_t bytes, const Add& add) {
  const size_t whole = bytes / kVectorBytes;
  for (size_t i = 0; i < whole; ++i) {
    const uint8_t* from = row + i * kVectorBytes;
    if (i * kVectorBytes % 64 == 0) PrefetchToSecondLevel(from + kBytesInFlight);
    add(i, hn::LoadU(DU8(), from), std::true_type());
  }
  const size_t left = bytes - whole * kVectorBytes;
  if (left == 0) return;
  add(whole, hn::LoadN(DU8(), row + whole * kVectorBytes, left), std::false_type());
}

// The bfloat16 scales of a row, of the groups that a vector of weights has: each in all lanes of
// its group. Up to four of them are put side by side into 64 bits, from where they go to the upper
// halves of the lanes.
class RowScales {
 public:
  RowScales(size_t groups, size_t block_groups)
      : block_groups_(block_groups), blocks_(groups / block_groups) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const size_t group = lane / 4;
      const size_t place = SharesEvenly() ? group / block_groups : group;
      uint8_t* bytes = order_ + 4 * lane;
      bytes[0] = bytes[1] = 0x80;  // a zero
      bytes[2] = static_cast<uint8_t>(2 * place);
      bytes[3] = static_cast<uint8_t>(2 * place + 1);
    }
  }

  // With the number of scales of a vector as a constant; 0 for one that has to be found.
  template <class Call>
  HWY_INLINE void WithCount(const Call& call) const {
    if (SharesEvenly()) {
      const size_t count = kBlocks / block_groups_;
      if (count == 4) return call(std::integral_constant<size_t, 4>());
      if (count == 2) return call(std::integral_constant<size_t, 2>());
      if (count == 1) return call(std::integral_constant<size_t, 1>());
    }
    return call(std::integral_constant<size_t, 0>());
  }

  template <size_t kCount, bool kIsWhole>
  HWY_INLINE VF At(const uint8_t* row, size_t step) const {
    const hn::Repartition<uint64_t, DF> d64;
    const uint64_t packed = Packed<kCount, kIsWhole>(row, step);
    const VU8 all = hn::BitCast(DU8(), hn::Set(d64, packed));
    return hn::BitCast(DF(), hn::TableLookupBytesOr0(all, hn::Load(DU8(), order_)));
  }

 private:
  static constexpr size_t kBytes = sizeof(uint16_t);

  // Whether a vector has whole blocks.
  bool SharesEvenly() const { return kBlocks % block_groups_ == 0; }

  template <size_t kCount, bool kIsWhole>
  HWY_INLINE uint64_t Packed(const uint8_t* row, size_t step) const {
    uint64_t packed = 0;
    if constexpr (kCount != 0) {
      const size_t first = step * kCount;
      const size_t count = kIsWhole ? kCount : HWY_MIN(kCount, blocks_ - first);
      memcpy(&packed, row + first * kBytes, count * kBytes);
    } else {
      for (size_t i = 0; i < kBlocks; ++i) {
        uint16_t scale = 0;
        const size_t block = (step * kBlocks + i) / block_groups_;
        if (block < blocks_) memcpy(&scale, row + block * kBytes, kBytes);
        packed |= uint64_t{scale} << (16 * i);
      }
    }
    return packed;
  }

  const size_t block_groups_;
  const size_t blocks_;
  HWY_ALIGN uint8_t order_[kVectorBytes];
};

// Whether activations go on from vector to vector, or are the same for all: ones.
enum class Activations { kOfEachStep, kOfEveryStep };

// The sum over all inputs of weights in blocks by each row of activations, to sums[0],
// sums[stride] and so on.
template <size_t kScales, Activations kActivations = Activations::kOfEachStep, size_t kRows>
HWY_INLINE void SumBlocks(const uint8_t* values, size_t bytes, const uint8_t* scale_row,
                          const RowScales& scales, const FewRows<kRows>& activations, float* sums,
                          size_t stride) {
  using StepOf = Step<Int4Storage>;
  VF totals[kRows];
  for (VF& total : totals) total = hn::Zero(DF());
  ForEachVector(values, bytes, [&](size_t step, VU8 weights, auto is_whole) HWY_ATTR {
    const StepOf split(weights);
    const VF scale = scales.At<kScales, is_whole>(scale_row, step);
    const size_t at = kActivations == Activations::kOfEachStep ? step : 0;
    HWY_UNROLL(4)
    for (size_t m = 0; m < kRows; ++m) {
      const VI32 start =
          hn::BitCast(DI32(), hn::LoadU(DU8(), activations.starts[m] + at * kVectorBytes));
      const VI32 products =
          split.template Products<Int4Dot>(start, activations.q[m] + at * StepOf::kActivationBytes);
      totals[m] = hn::MulAdd(hn::ConvertTo(DF(), products), scale, totals[m]);
    }
  });
  for (size_t m = 0; m < kRows; ++m) sums[m * stride] = hn::ReduceSum(DF(), totals[m]);
}

// The same of weights without blocks: integers, without their scales.
template <class Type, Activations kActivations = Activations::kOfEachStep, size_t kRows>
HWY_INLINE void SumChannel(const uint8_t* values, size_t bytes, const FewRows<kRows>& activations,
                           int32_t* sums, size_t stride) {
  using StepOf = Step<typename Type::Storage>;
  VI32 totals[kRows];
  for (VI32& total : totals) total = hn::Zero(DI32());
  ForEachVector(values, bytes, [&](size_t step, VU8 weights, auto /*is_whole*/) HWY_ATTR {
    const StepOf split(weights);
    const size_t at = kActivations == Activations::kOfEachStep ? step : 0;
    HWY_UNROLL(4)
    for (size_t m = 0; m < kRows; ++m) {
      totals[m] = split.template Products<typename Type::Sums::Dot>(
          totals[m], activations.q[m] + at * StepOf::kActivationBytes);
    }
  });
  for (size_t m = 0; m < kRows; ++m) sums[m * stride] = hn::ReduceSum(DI32(), totals[m]);
}

}  // namespace onepack::linear::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ONEPACK_LINEAR_ROWS_INL_H_
