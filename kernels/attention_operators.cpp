// The names under which programs call attention.

#include "kernels/arguments.h"
#include "kernels/attention.h"
#include "kernels/key_value_cache.h"
#include "kernels/operator_families.h"

namespace onepack::kernels {
namespace {

void ReadOptions(ArgumentReader& read, AttentionInputs* inputs) {
  inputs->mask = read.OptionalInput("attn_mask");
  read.Double("dropout_p");
  inputs->is_causal = read.Bool("is_causal");
  inputs->scale = read.OptionalDouble("scale").value;
}

void ReadInputs(ArgumentReader& read, AttentionInputs* inputs) {
  inputs->query = &read.Input("query");
  inputs->key = &read.Input("key");
  inputs->value = &read.Input("value");
  inputs->start = read.Int("start_pos");
  ReadOptions(read, inputs);
}

Dequantization ReadDequantization(ArgumentReader& read) {
  Dequantization dequantization;
  dequantization.zero_points = read.OptionalInput("zero_points");
  dequantization.scales = read.OptionalInput("scales");
  return dequantization;
}

// custom_sdpa(query, key, value, start_pos, attn_mask?, dropout_p, is_causal, scale?, out)
Status CustomSdpa(void* context, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  AttentionInputs inputs;
  ReadInputs(read, &inputs);
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return Attend(inputs, ContextOf(context).threadpool(), out);
}

// custom_quantized_sdpa(<those of custom_sdpa>, q_zero_points?, q_scales?, k_zero_points?,
// k_scales?, v_zero_points?, v_scales?, is_seq_at_dim_2, out)
Status CustomQuantizedSdpa(void* context, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  AttentionInputs inputs;
  ReadInputs(read, &inputs);
  inputs.query_dequantization = ReadDequantization(read);
  inputs.key_dequantization = ReadDequantization(read);
  inputs.value_dequantization = ReadDequantization(read);
  inputs.token_dimension = read.Bool("is_seq_at_dim_2") ? 2 : 1;
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return Attend(inputs, ContextOf(context).threadpool(), out);
}

// sdpa_with_kv_cache(query, key, value, key_cache, value_cache, start_pos, seq_len, attn_mask?,
// dropout_p, is_causal, scale?, out): key and value go into the caches, from start_pos on; then the
// query attends to the caches. seq_len is how many the key has.
Status SdpaWithKvCache(void* context, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  AttentionInputs inputs;
  inputs.query = &read.Input("query");
  const Tensor& key = read.Input("key");
  const Tensor& value = read.Input("value");
  Tensor& key_cache = read.InPlace("key_cache");
  Tensor& value_cache = read.InPlace("value_cache");
  inputs.start = read.Int("start_pos");
  read.Int("seq_len");
  ReadOptions(read, &inputs);
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  ONEPACK_RETURN_IF_ERROR(StoreInCache(key, inputs.start, key_cache));
  ONEPACK_RETURN_IF_ERROR(StoreInCache(value, inputs.start, value_cache));
  inputs.key = &key_cache;
  inputs.value = &value_cache;
  return Attend(inputs, ContextOf(context).threadpool(), out);
}

constexpr OperatorRow kRows[] = {
    {"llama::custom_quantized_sdpa.out", CustomQuantizedSdpa},
    {"llama::custom_sdpa.out", CustomSdpa},
    {"llama::sdpa_with_kv_cache.out", SdpaWithKvCache},
};

}  // namespace

OperatorRows AttentionOperators() { return kRows; }

}  // namespace onepack::kernels
