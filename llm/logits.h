// What a language model gives: how likely each token is to come next, in any floating point type.

#ifndef ONEPACK_LLM_LOGITS_H_
#define ONEPACK_LLM_LOGITS_H_

#include <vector>

#include "onepack/result.h"
#include "onepack/span.h"
#include "onepack/value.h"

namespace onepack {

// Whether it is a floating point tensor [vocabulary], [n, vocabulary] or [1, n, vocabulary], of at
// least one token, whose rows lie together.
bool IsLogits(const Value& value);

// The last row as floats: the tensor's own bytes where they are float32, else in `converted`.
// Errors: kInternal for a tensor without a row. REQUIRES: IsLogits.
Result<Span<const float>> LastRow(const Tensor& logits, std::vector<float>& converted);

}  // namespace onepack

#endif  // ONEPACK_LLM_LOGITS_H_
