// Quantized activations, in the order in which the kernels read them.

#include <pthreadpool.h>
#include <string.h>

#include "linear/activation_layout.h"
#include "linear/linear.h"
#include "linear/quantization.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "linear/quantize.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "linear/target-inl.h"

#ifndef ONEPACK_LINEAR_QUANTIZE_ONCE_
#define ONEPACK_LINEAR_QUANTIZE_ONCE_
namespace onepack::linear {
namespace {

struct Job {
  ActivationForm form;
  ActivationLayout layout;
  const float* x = nullptr;
  uint8_t* quantized = nullptr;
};

}  // namespace
}  // namespace onepack::linear
#endif  // ONEPACK_LINEAR_QUANTIZE_ONCE_

HWY_BEFORE_NAMESPACE();
namespace onepack::linear::HWY_NAMESPACE {
namespace {

// The least and greatest of a row; NaN as XNNPACK takes it, which depends on the instruction set:
// on x86 a NaN is forgotten with the next value that its lane meets, and so lanes, accumulators and
// the order in which they come together are those of XNNPACK's loops.
template <class Pick>
float Extreme(const float* x, size_t count, Pick pick) {
  const DF d;
  VF sums[4];
  for (VF& sum : sums) sum = hn::Set(d, x[0]);
  size_t i = 0;
  for (; i + 4 * kLanes <= count; i += 4 * kLanes) {
    for (size_t k = 0; k < 4; ++k) sums[k] = pick(sums[k], hn::LoadU(d, x + i + k * kLanes));
  }
  VF sum = pick(pick(sums[0], sums[1]), pick(sums[2], sums[3]));
  for (; i + kLanes <= count; i += kLanes) sum = pick(sum, hn::LoadU(d, x + i));
  if (i < count) {
    const VF picked = pick(sum, hn::LoadN(d, x + i, count - i));
    sum = hn::IfThenElse(hn::FirstN(d, count - i), picked, sum);
  }
  HWY_ALIGN float lanes[kLanes];
  hn::Store(sum, d, lanes);
  const hn::FixedTag<float, 4> d4;
  for (size_t half = kLanes / 2; half >= 4; half /= 2) {
    for (size_t k = 0; k < half; k += 4) {
      hn::StoreU(pick(hn::LoadU(d4, lanes + k), hn::LoadU(d4, lanes + k + half)), d4, lanes + k);
    }
  }
  const hn::FixedTag<float, 2> d2;
  hn::StoreU(pick(hn::LoadU(d2, lanes), hn::LoadU(d2, lanes + 2)), d2, lanes);
  const hn::FixedTag<float, 1> d1;
  return hn::GetLane(pick(hn::LoadU(d1, lanes), hn::LoadU(d1, lanes + 1)));
}

// `picked` is Highway's, which on ARM prefers a number to a NaN; XNNPACK's instructions keep the
// NaN.
template <class V>
HWY_INLINE V WithNan(V a, V b, V picked) {
  return HWY_ARCH_ARM ? hn::IfThenElse(hn::IsEitherNaN(a, b), hn::Add(a, b), picked) : picked;
}
struct Lesser {
  template <class V>
  HWY_INLINE V operator()(V a, V b) const {
    return WithNan(a, b, hn::Min(a, b));
  }
};
struct Greater {
  template <class V>
  HWY_INLINE V operator()(V a, V b) const {
    return WithNan(a, b, hn::Max(a, b));
  }
};

// A NaN becomes the greatest value on x86, the zero point on ARM, as in XNNPACK.
void QuantizeGroup(const Quantization& to, const float* x, int8_t* q) {
  const DF d;
  const hn::Rebind<int8_t, DF> d8;
  const auto inverse = hn::Set(d, to.inverse);
  const auto least = hn::Set(d, static_cast<float>(-128 - to.zero_point));
  const auto greatest = hn::Set(d, static_cast<float>(127 - to.zero_point));
  const auto zero_point = hn::Set(DI32(), to.zero_point);
  for (size_t i = 0; i < kGroupInputs; i += kLanes) {
    auto v = hn::Mul(hn::LoadU(d, x + i), inverse);
    if (HWY_ARCH_ARM) v = hn::IfThenZeroElse(hn::IsNaN(v), v);
    v = hn::Max(hn::Min(v, greatest), least);
    hn::StoreU(hn::DemoteTo(d8, hn::Add(hn::NearestInt(v), zero_point)), d8, q + i);
  }
}

// Of a byte of weights the even input is in the low half: the kernels meet four even inputs, then
// the four odd ones between them.
HWY_INLINE hn::Vec<hn::FixedTag<uint8_t, 16>> EvenBeforeOdd(
    hn::Vec<hn::FixedTag<uint8_t, 16>> bytes) {
  const hn::FixedTag<uint8_t, 16> d;
  alignas(16) static constexpr uint8_t kOrder[16] = {0, 2,  4,  6,  1, 3,  5,  7,
                                                     8, 10, 12, 14, 9, 11, 13, 15};
  return hn::TableLookupBytes(bytes, hn::Load(d, kOrder));
}

using D16Bytes = hn::FixedTag<uint8_t, 16>;

// The bytes of a group in the order of the kernels.
struct ArrangedGroup {
  hn::Vec<D16Bytes> parts[2];

  explicit HWY_INLINE ArrangedGroup(const int8_t* q) {
    for (size_t i = 0; i < 2; ++i) {
      parts[i] = hn::Load(D16Bytes(), reinterpret_cast<const uint8_t*>(q) + 16 * i);
    }
  }
  HWY_INLINE int32_t Sum() const {
    const hn::FixedTag<uint64_t, 2> d64;
    const auto sign = hn::Set(D16Bytes(), uint8_t{0x80});
    const auto sums =
        hn::Add(hn::SumsOf8(hn::Xor(parts[0], sign)), hn::SumsOf8(hn::Xor(parts[1], sign)));
    return static_cast<int32_t>(hn::ReduceSum(d64, sums)) -
           128 * static_cast<int32_t>(kGroupInputs);
  }
  HWY_INLINE void PutEvenBeforeOdd() {
    for (auto& part : parts) part = EvenBeforeOdd(part);
  }
  HWY_INLINE void Raise(uint8_t offset) {
    for (auto& part : parts) part = hn::Xor(part, hn::Set(D16Bytes(), offset));
  }
  // Quad by quad.
  HWY_INLINE void StoreQuads(uint8_t* to, size_t quad_step) const {
    alignas(16) uint8_t bytes[kGroupInputs];
    for (size_t i = 0; i < 2; ++i) hn::Store(parts[i], D16Bytes(), bytes + 16 * i);
    for (size_t quad = 0; quad < kGroupQuads; ++quad) {
      memcpy(to + quad * quad_step, bytes + quad * kQuadInputs, kQuadInputs);
    }
  }
  // All even quads, and all odd ones.
  HWY_INLINE void StoreHalves(uint8_t* even, uint8_t* odd) const {
    const hn::Repartition<uint32_t, D16Bytes> d32;
    const auto first = hn::BitCast(d32, parts[0]);
    const auto second = hn::BitCast(d32, parts[1]);
    hn::StoreU(hn::BitCast(D16Bytes(), hn::ConcatEven(d32, second, first)), D16Bytes(), even);
    hn::StoreU(hn::BitCast(D16Bytes(), hn::ConcatOdd(d32, second, first)), D16Bytes(), odd);
  }
};

// The bytes of the group that begins at `input`, zeros after the last input.
void QuantizeInputs(const Job& job, const Quantization& to, const float* x, size_t input,
                    int8_t* q) {
  const size_t left = job.form.inputs - HWY_MIN(job.form.inputs, input);
  if (left >= kGroupInputs) return QuantizeGroup(to, x + input, q);
  float last[kGroupInputs] = {};
  if (left != 0) memcpy(last, x + input, left * sizeof(float));
  QuantizeGroup(to, last, q);
  memset(q + left, 0, kGroupInputs - left);
}

// Group number g of a row goes to where the layout has it.
HWY_INLINE void StoreGroup(const Job& job, const ActivationLayout::RowPlaces& places, size_t g,
                           const ArrangedGroup& group) {
  uint8_t* quads = job.quantized + places.quads;
  if (!job.layout.is_row_by_row()) {
    return group.StoreQuads(quads + g * places.group_step, places.quad_step);
  }
  if (!job.form.is_for_int4) return group.StoreQuads(quads + g * kGroupInputs, kQuadInputs);
  const size_t in_step = g % kBlocks;
  uint8_t* even = quads + (g - in_step) * kGroupInputs + in_step * 16;
  group.StoreHalves(even, even + kVectorBytes);
}

void QuantizeRow(const Job& job, size_t row) {
  const ActivationLayout& layout = job.layout;
  const ActivationLayout::RowPlaces places = layout.PlacesOf(row);
  const size_t inputs = job.form.inputs;
  const float* x = job.x + row * inputs;
  const Quantization to =
      QuantizationOf(Extreme(x, inputs, Lesser()), Extreme(x, inputs, Greater()));

  RowHeader header = {to.scale, to.zero_point, 0};
  if (!job.form.is_for_int4) header.zero_point += kInt8Offset;
  alignas(16) int8_t q[kGroupInputs];
  for (size_t g = 0; g < layout.groups(); ++g) {
    QuantizeInputs(job, to, x, g * kGroupInputs, q);
    ArrangedGroup group(q);
    if (job.form.is_for_int4) {
      group.PutEvenBeforeOdd();
      // Weights are stored 8 more than they are.
      const int32_t start[4] = {-8 * group.Sum()};
      header.start += start[0];
      memcpy(job.quantized + places.start + g * places.start_step, start, layout.start_bytes());
    } else {
      group.Raise(kInt8Offset);
    }
    StoreGroup(job, places, g, group);
  }
  memcpy(job.quantized + row * sizeof(header), &header, sizeof(header));
}

void QuantizeRows(const Job& job, size_t first, size_t count) {
  for (size_t row = first; row < first + count; ++row) QuantizeRow(job, row);
}

ActivationTarget Target() { return {kMaxTileRows, kBlocks}; }

}  // namespace
}  // namespace onepack::linear::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace onepack::linear {
namespace {

HWY_EXPORT(QuantizeRows);
HWY_EXPORT(Target);

// Below this, waking the other threads takes longer than they save.
constexpr size_t kLeastSharedValues = size_t{1} << 15;

void RunTask(void* context, size_t first, size_t count) {
  HWY_DYNAMIC_DISPATCH(QuantizeRows)(*static_cast<const Job*>(context), first, count);
}

}  // namespace

ActivationForm FormFor(const Weights& weights) {
  return {weights.inputs, weights.block_size, weights.type != WeightType::kInt8Channels};
}

size_t QuantizedBytes(const ActivationForm& form, size_t rows) {
  return ActivationLayout::MaxBytes(form, rows);
}

// No row of many takes more than one that is alone.
size_t MaxQuantizedBytes(const ActivationForm& form, size_t max_rows) {
  if (max_rows > SIZE_MAX / QuantizedBytes(form, 1)) return SIZE_MAX;
  return HWY_MAX(QuantizedBytes(form, max_rows), QuantizedBytes(form, HWY_MIN(max_rows, kFewRows)));
}

ActivationLayout LayoutOf(const ActivationForm& form, size_t rows) {
  return {form, rows, HWY_DYNAMIC_DISPATCH(Target)()};
}

void Quantize(const ActivationForm& form, const float* x, size_t rows, uint8_t* quantized,
              pthreadpool* pool) {
  if (rows == 0) return;
  Job job = {form, LayoutOf(form, rows), x, quantized};
  const bool is_little = rows * form.inputs < kLeastSharedValues;
  // Numbers too small for a full mantissa are zeros, as XNNPACK has them.
  pthreadpool_parallelize_1d_tile_1d(is_little ? nullptr : pool, RunTask, &job, rows, 1,
                                     PTHREADPOOL_FLAG_DISABLE_DENORMALS);
}

}  // namespace onepack::linear
#endif  // HWY_ONCE
