// The key of a weight in terms that do not change from process to process: where the key in memory
// has the id of a content, which is of this process alone, this one has the SHA-256 of its bytes.
//
// The argument that equal keys mean equal packed bytes (pack_key.h) holds for it as it stands: its
// kernel, bias and scales are named by their bytes instead of by the content that has them; all
// else is the same, and the layout's fingerprint changes with the code that packs (layout_tag.cpp).

#ifndef ONEPACK_DELEGATE_PACKING_LASTING_KEY_H_
#define ONEPACK_DELEGATE_PACKING_LASTING_KEY_H_

#include "delegate/plan/plan.h"
#include "onepack/result.h"
#include "weight_cache/packed_weight_cache.h"

namespace onepack {

// Reads only constants whose hash is on record neither in the cache nor in its packed file, once.
// Threads: any. Errors: those of reading; kInternal for a plan that was not checked. REQUIRES:
// `cache` has a packed file.
Result<PackKey> LastingKeyOf(const Plan& plan, const Weight& weight, PackedWeightCache& cache);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PACKING_LASTING_KEY_H_
