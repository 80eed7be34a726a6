// The two operators that ExecuTorch's wheel has in no library: attention over a KV cache, and the
// update of that. Both peers thus compute attention with the same code, ours; it says nothing about
// either.

#include <executorch/extension/kernel_util/make_boxed_from_unboxed_functor.h>
#include <executorch/runtime/kernel/kernel_includes.h>
#include <string.h>

#include <optional>
#include <utility>

#include "kernels/attention.h"

namespace onepack::bench {
namespace {

using EtTensor = executorch::aten::Tensor;
using executorch::runtime::Error;
using executorch::runtime::KernelRuntimeContext;

// [batch, tokens, heads, width], contiguous, f32.
Result<Tensor> OursOver(const EtTensor& tensor) {
  const int32_t sizes[] = {
      static_cast<int32_t>(tensor.size(0)), static_cast<int32_t>(tensor.size(1)),
      static_cast<int32_t>(tensor.size(2)), static_cast<int32_t>(tensor.size(3))};
  const uint8_t order[] = {0, 1, 2, 3};
  auto* data = static_cast<uint8_t*>(const_cast<void*>(tensor.const_data_ptr()));
  return Tensor::Over({ScalarType::kFloat, sizes, order}, {data, tensor.nbytes()});
}

Status Attention(const EtTensor& query, const EtTensor& key, const EtTensor& value, int64_t start,
                 bool is_causal, EtTensor& out) {
  ONEPACK_ASSIGN_OR_RETURN(const Tensor our_query, OursOver(query));
  ONEPACK_ASSIGN_OR_RETURN(const Tensor our_key, OursOver(key));
  ONEPACK_ASSIGN_OR_RETURN(const Tensor our_value, OursOver(value));
  ONEPACK_ASSIGN_OR_RETURN(Tensor our_out, OursOver(out));
  kernels::AttentionInputs inputs;
  inputs.query = &our_query;
  inputs.key = &our_key;
  inputs.value = &our_value;
  inputs.start = start;
  inputs.is_causal = is_causal;
  return kernels::Attend(inputs, /*threadpool=*/nullptr, our_out);
}

EtTensor& CustomSdpa(KernelRuntimeContext& context, const EtTensor& query, const EtTensor& key,
                     const EtTensor& value, int64_t start, std::optional<EtTensor> mask,
                     double /*dropout*/, bool is_causal, std::optional<double> scale,
                     EtTensor& out) {
  const bool is_plain = !mask.has_value() && !scale.has_value();
  if (!is_plain || resize_tensor(out, query.sizes()) != Error::Ok ||
      !Attention(query, key, value, start, is_causal, out).ok()) {
    context.fail(Error::InvalidArgument);
  }
  return out;
}

EtTensor& UpdateCache(KernelRuntimeContext& context, const EtTensor& value, EtTensor& cache,
                      int64_t start, EtTensor& out) {
  const size_t token_bytes = value.nbytes() / static_cast<size_t>(value.size(1));
  const bool fits = value.size(0) == 1 && start >= 0 && value.size(1) <= cache.size(1) - start;
  if (!fits) {
    context.fail(Error::InvalidArgument);
    return out;
  }
  memcpy(static_cast<uint8_t*>(cache.mutable_data_ptr()) + static_cast<size_t>(start) * token_bytes,
         value.const_data_ptr(), value.nbytes());
  return out;
}

EXECUTORCH_LIBRARY(llama, "custom_sdpa.out", CustomSdpa);
EXECUTORCH_LIBRARY(llama, "update_cache.out", UpdateCache);

}  // namespace
}  // namespace onepack::bench
