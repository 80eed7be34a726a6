// XNNPACK made ready, without the kernels of it that give wrong numbers.
//
// XNNPACK quantizes activations at run time, a scale and a zero point for each row, and pads this
// list by XNN_EXTRA_QUANTIZATION_PARAMS entries, because a kernel that computes up to `mr` rows at
// a time reads the parameters of all of them, however few rows are left. Where the padding is 10, a
// kernel of 14 rows (int4 weights in blocks, on processors with GFNI and AVX512-VNNI: Ice Lake,
// Sapphire Rapids, Zen 5) or of 16 (AMX) reads up to 5 entries of whatever lies behind it, and the
// last row of a batch comes out wrong when 1 to 3 (5) rows are left over from whole tiles.
//
// With AVX512-FP16 (Sapphire Rapids and later) the kernels of fp16 matrices compute 64 outputs in
// two vectors, and write the second one a single element behind the first: of 64 outputs and more
// all are wrong.
//
// XNNPACK chooses these kernels only if cpuinfo says that there is GFNI or AVX512-FP16, and looks
// once. So both are hidden while XNNPACK looks. The kernels that are chosen instead take at most 10
// rows, and sum products of fp16 as fp32, as on all other x86 processors.

#ifndef ONEPACK_DELEGATE_XNN_INITIALIZE_H_
#define ONEPACK_DELEGATE_XNN_INITIALIZE_H_

#include "delegate/xnn/xnnpack.h"
#include "onepack/status.h"

namespace onepack {

// Threads: any; after the first success it costs an atomic load.
// Errors:  kFailedPrecondition when XNNPACK was initialized before, by other code of the process,
//          and chose such a kernel, or is another than the one that this was built for
//          (interface_check.h); kResourceExhausted.
Status InitializeXnnpack(const xnn_allocator* allocator = nullptr);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_XNN_INITIALIZE_H_
