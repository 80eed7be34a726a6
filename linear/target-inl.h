// What the target that is being compiled has and likes. Included once for each target.

#if defined(ONEPACK_LINEAR_TARGET_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ONEPACK_LINEAR_TARGET_INL_H_
#undef ONEPACK_LINEAR_TARGET_INL_H_
#else
#define ONEPACK_LINEAR_TARGET_INL_H_
#endif

#include <stddef.h>
#include <stdint.h>

#include "hwy/highway.h"

// Types and constants only: clang warns where HWY_BEFORE_NAMESPACE finds no function.
namespace onepack::linear::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::ScalableTag<float>;
using DI32 = hn::Repartition<int32_t, DF>;
using DI16 = hn::Repartition<int16_t, DF>;
using DI8 = hn::Repartition<int8_t, DF>;
using DU32 = hn::Repartition<uint32_t, DF>;
using DU16 = hn::Repartition<uint16_t, DF>;
using DU8 = hn::Repartition<uint8_t, DF>;
using VF = hn::Vec<DF>;
using VI32 = hn::Vec<DI32>;
using VI16 = hn::Vec<DI16>;
using VI8 = hn::Vec<DI8>;
using VU32 = hn::Vec<DU32>;
using VU8 = hn::Vec<DU8>;

constexpr size_t kLanes = hn::MaxLanes(DF());
constexpr size_t kVectorBytes = kLanes * sizeof(float);
constexpr size_t kBlocks = kVectorBytes / 16;  // of 16 bytes

// A panel is as many outputs as are computed at once, a tile as many rows of activations: sums are
// kept in registers, and each weight and each activation is loaded once for a whole tile.
#if HWY_TARGET_IS_NEON || HWY_TARGET <= HWY_AVX3
constexpr size_t kPanelVectors = 2;
constexpr size_t kMaxTileRows = 6;
#else
constexpr size_t kPanelVectors = 1;
constexpr size_t kMaxTileRows = 4;
#endif
constexpr size_t kPanelOutputs = kPanelVectors * kLanes;

// Four products of bytes and their sum in one instruction: of signed ones, or of unsigned with
// signed ones. Without it, unsigned bytes below 16 go through sums of 16 bits.
#undef ONEPACK_LINEAR_HAS_QUAD_DOT
#if HWY_TARGET == HWY_NEON_BF16
#define ONEPACK_LINEAR_HAS_QUAD_DOT 1
#elif HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL
#define ONEPACK_LINEAR_HAS_QUAD_DOT 1
#else
#define ONEPACK_LINEAR_HAS_QUAD_DOT 0
#endif

// What activations that meet signed bytes are raised by, to be unsigned where instructions want
// one side so.
#if HWY_ARCH_ARM
constexpr int32_t kInt8Offset = 0;
#else
constexpr int32_t kInt8Offset = 128;
#endif

}  // namespace onepack::linear::HWY_NAMESPACE

#endif  // ONEPACK_LINEAR_TARGET_INL_H_
