// Memory for scales, for as long as XNNPACK needs them.

#ifndef ONEPACK_DELEGATE_OPS_SCALE_STORAGE_H_
#define ONEPACK_DELEGATE_OPS_SCALE_STORAGE_H_

#include <stddef.h>
#include <stdint.h>

#include <vector>

#include "delegate/graph/payload.h"
#include "delegate/graph/quantization.h"
#include "delegate/ops/mapped_allocator.h"
#include "onepack/result.h"

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
};

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

#endif  // ONEPACK_DELEGATE_OPS_SCALE_STORAGE_H_
