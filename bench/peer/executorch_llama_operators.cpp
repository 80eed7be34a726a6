// The two operators that ExecuTorch's wheel has in no library: attention over a KV cache, and the
// update of that. ExecuTorch and onepack thus compute attention with the same code, ours; it says
// nothing about either.

#include <executorch/extension/kernel_util/make_boxed_from_unboxed_functor.h>
#include <executorch/runtime/kernel/kernel_includes.h>
#include <stdio.h>
#include <string.h>

#include <optional>
#include <utility>

#include "kernels/attention.h"

namespace onepack::bench {
namespace {

using EtTensor = executorch::aten::Tensor;
using executorch::runtime::Error;
using executorch::runtime::KernelRuntimeContext;

constexpr uint8_t kContiguous[] = {0, 1, 2, 3};

// [batch, tokens, heads, width], contiguous, f32.
struct Sizes {
  explicit Sizes(const EtTensor& tensor) {
    for (int i = 0; i < 4; ++i) numbers[i] = static_cast<int32_t>(tensor.size(i));
  }
  int32_t numbers[4];
};

// `sizes` outlives it.
Result<Tensor> OursOver(const EtTensor& tensor, const Sizes& sizes) {
  auto* data = static_cast<uint8_t*>(const_cast<void*>(tensor.const_data_ptr()));
  return Tensor::Over({ScalarType::kFloat, sizes.numbers, kContiguous}, {data, tensor.nbytes()});
}

Status Attention(const EtTensor& query, const EtTensor& key, const EtTensor& value, int64_t start,
                 bool is_causal, EtTensor& out) {
  const Sizes query_sizes(query);
  const Sizes key_sizes(key);
  ONEPACK_ASSIGN_OR_RETURN(const Tensor our_query, OursOver(query, query_sizes));
  ONEPACK_ASSIGN_OR_RETURN(const Tensor our_key, OursOver(key, key_sizes));
  ONEPACK_ASSIGN_OR_RETURN(const Tensor our_value, OursOver(value, key_sizes));
  ONEPACK_ASSIGN_OR_RETURN(Tensor our_out, OursOver(out, query_sizes));
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
  if (mask.has_value() || scale.has_value() || resize_tensor(out, query.sizes()) != Error::Ok) {
    context.fail(Error::InvalidArgument);
    return out;
  }
  const Status status = Attention(query, key, value, start, is_causal, out);
  if (!status.ok()) {
    fprintf(stderr, "llama::custom_sdpa: %s\n", status.message());
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
