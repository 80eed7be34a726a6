// The scales of quantized values: where they are, what they are the same as, and how long XNNPACK
// needs them.

#ifndef ONEPACK_DELEGATE_GRAPH_SCALES_H_
#define ONEPACK_DELEGATE_GRAPH_SCALES_H_

#include <memory>
#include <vector>

#include "base/digest.h"
#include "base/result.h"
#include "base/span.h"
#include "delegate/graph/payload.h"
#include "delegate/packing/mapped_allocator.h"
#include "delegate/xnn/ones.h"

namespace onepack {

// XNNPACK checks scales when a value is defined and reads them when its weight is packed: they are
// kept here until the runtime is created.
struct ScaleStorage {
  // The head of a language model has millions of scales.
  template <typename T>
  using Scales = std::vector<T, MappedAllocator<T>>;

  std::vector<Buffer> loaded;             // used where they are
  std::vector<Scales<float>> floats;      // copied, because they were not aligned
  std::vector<Scales<uint16_t>> bfloats;  // copied or rounded
  // For weights that are known to be in the cache: XNNPACK gets to see ones, and no scale is read.
  // Never null.
  std::shared_ptr<OnesStore> ones = std::make_shared<OnesStore>();
};

// Scales of one value, as the file has them.
template <typename T>
struct ScaleRef {
  uint32_t buffer_index = 0;        // in the payload's constants; 0: inline
  Span<const T> inline_scales;      // in the payload
  Span<const float> to_be_rounded;  // inline floats that stand for bfloat16
  size_t found = 0;
};

ScaleRef<float> ScalesOf(const wire::xnnpack::PerChannelQuant& quant);
ScaleRef<uint16_t> ScalesOf(const wire::xnnpack::PerChannelGroupQuant& quant);

// Reads nothing that is not in the payload itself. kInvalidFile unless there are `expected` scales.
template <typename T>
Result<Digest> IdentityOfScales(const Payload& payload, const ScaleRef<T>& scales, size_t expected);

// `count` scales in memory, unchecked. REQUIRES: IdentityOfScales succeeded.
template <typename T>
Result<const T*> FindScales(const Payload& payload, const ScaleRef<T>& scales, size_t count,
                            ScaleStorage& storage);

// The same, checked. kInvalidFile for one that is not finite and positive. REQUIRES:
// IdentityOfScales succeeded.
template <typename T>
Result<const T*> LoadScales(const Payload& payload, const ScaleRef<T>& scales, size_t count,
                            ScaleStorage& storage);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_GRAPH_SCALES_H_
