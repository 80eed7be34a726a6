// What XNNPACK does otherwise than one would expect, and what onepack does about it. Each quirk has
// a number. Those up to 14 and 19 have a test of XNNPACK alone
// (tests/delegate/xnn/quirks_test.cpp, and initialize_test.cpp of 1 and 19), which fails when the
// quirk is gone: then what is done about it can go as well.
//
// Quirks of some releases only have a constant, which says whether this release has them.

#ifndef ONEPACK_DELEGATE_XNN_QUIRKS_H_
#define ONEPACK_DELEGATE_XNN_QUIRKS_H_

#include "delegate/xnn/differences.h"

namespace onepack {

// 1. Kernels of 14 and 16 rows read more parameters of rows that are quantized at run time than
// XNN_EXTRA_QUANTIZATION_PARAMS makes room for, and compute the last rows of a batch from them.
// InitializeXnnpack has XNNPACK choose others. x86 alone has such kernels.
#if defined(__x86_64__) || defined(__i386__)
inline constexpr bool kReadsPastParamsOfRows = XNN_EXTRA_QUANTIZATION_PARAMS < 15;
#else
inline constexpr bool kReadsPastParamsOfRows = false;
#endif

// 2. A clamp that is fused into the node before writes its range over the parameters of that node,
// with which it shares a union: a padding, a stride. Runtimes are created without fusion
// (kRuntimeFlags).
inline constexpr bool kFusionOverwritesParams = !kHasAliasData;

// 3. A depthwise convolution packs its filter for itself alone, and does not call a weights cache.
// These filters are small. (PackingOf, ops/convolution.)
inline constexpr bool kDepthwiseKeepsItsFilter = !kHasAliasData;

// 4. A transposed convolution packs its weight without looking it up, and then inserts it; some
// releases do so with a convolution of one channel to one channel. It is packed for each runtime
// and let go of where it is pinned. (PackingOf, ops/convolution.)
inline constexpr bool kOneToOnePacksUnasked = !kHasAliasData;

// 5. A convolution that has found its weight inserts it all the same, with a null pointer.
// (WeightTable.)
inline constexpr bool kInsertsNothingAfterAHit = !kHasAliasData;

// 6. The seed of a look-up is an exclusive or of sizes: weights of [m, n] and [n, m] have the same,
// and nothing tells pointers that were used before from new ones. Keys are our own
// (weight_cache/pack_key.h).
//
// 7. A value takes the place of an input of the node that writes it where they are of one size.
// That is decided when memory is planned, and stays so after a reshape that needs no more of it:
// the input may be the smaller one then, and is overwritten while it is still read. Where the
// pattern of equal sizes changes the runtime is created again (ShapePattern).
inline constexpr bool kPlansGoStale = !kHasAliasData;

// 8. A node whose output nothing reads loses it, and then writes to an address that is none: it
// crashes. Such an output is external, with memory of ours. (Role::kUnread.)
//
// 9. The shape of the indices of an arg-max is not computed: it stays what it was defined with.
// (Role::kBounded.)
inline constexpr bool kIndicesHaveNoShape = !kHasAliasData;

// 10. Scales are checked when a value is defined, also those of a weight that will be found packed:
// they have to be positive and finite. A graph whose weights are pinned is shown ones (xnn/ones.h).
//
// 11. A fully connected node of rows that are quantized at run time needs the node that quantizes
// them in the same graph: rows that were quantized outside are refused, or crash. (One-node
// runtimes, packing/node_packer.)
//
// 12. Most nodes that move elements have no kernel for bf16: they are moved as fp32.
// (ops/between.h.)
inline constexpr bool kMovesNoBf16 = !kHasAliasData;

// 13. 16-bit constants of a node that the processor has no 16-bit kernel for are copied as fp32
// when a runtime is created, before any look-up. What stands for a weight then cannot be read, so
// no weight is shown as one of 16 bits. (ChooseWidening, ops/fully_connected.)
inline constexpr bool kCopiesHalfConstants = kHasAliasData;

// 14. On some processors the tile of an fp32 fully connected node depends on how many output
// channels it has, so that a slice of a weight may be packed otherwise than the weight. It is
// packed whole then (packing/sliced_weight). Sizes that are multiples of 128 are not concerned.
inline constexpr bool kTilesDependOnChannels = kHasAliasData;

// Without tests, for they read or write out of bounds and do not crash reliably:
//
// 15. The average pooling takes rows for such that do not reach into the padding below when there
// are more of those than rows. Refused by name. (ops/pooling.)
//
// 16. The dilated maximum pooling reads an element beyond the input in the place of the padding.
// Refused by name. (ops/pooling.)
//
// 17. A transposed convolution whose stride is larger than its output has phases of nearly 2^64
// positions. Refused by name. (ops/convolution.)
//
// 18. Fully connected nodes read 4-bit rows of an odd number, and transposed 4-bit weights, as not
// all of their kernels expect them. Both are widened to 8 bits. (ChooseWidening.)

// Tested again:
//
// 19. The kernels of fp16 matrices for AVX512-FP16 write half of the outputs to the wrong place.
// InitializeXnnpack has XNNPACK choose others.
//
// Seen by a test of ours (fork_test.cpp), where a processor has AVX-512:
//
// 20. Runtimes are created and reshaped under a mutex, which a child that is forked off meanwhile
// never gets. (XnnCall.)
inline constexpr bool kLocksWhenTilesAreChosen = kHasAliasData;

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_XNN_QUIRKS_H_
