// What onepack calls of the XNNPACK inside the Python package executorch 1.5.1, which comes without
// a header. Enumerators that onepack does not name are left out, so all have their numbers.
//
// The interface is that of XNNPACK's commit 92a7ad501b (July 2026). tests/delegate/xnn/
// executorch_header_test compares every line here with that header where it is at hand
// (ONEPACK_XNNPACK_REFERENCE_DIR).

#ifndef ONEPACK_DELEGATE_XNN_EXECUTORCH_XNNPACK_H_
#define ONEPACK_DELEGATE_XNN_EXECUTORCH_XNNPACK_H_

#include <pthreadpool.h>
#include <stddef.h>
#include <stdint.h>

#define XNN_EXTRA_BYTES 16
#define XNN_EXTRA_QUANTIZATION_PARAMS 15
#define XNN_MAX_TENSOR_DIMS 6
#define XNN_INVALID_VALUE_ID UINT32_MAX

// Of values.
#define XNN_VALUE_FLAG_EXTERNAL_INPUT 0x00000001
#define XNN_VALUE_FLAG_EXTERNAL_OUTPUT 0x00000002

// Of nodes.
#define XNN_FLAG_TRANSPOSE_WEIGHTS 0x00000001
#define XNN_FLAG_TRANSPOSE_B 0x00000001
#define XNN_FLAG_TENSORFLOW_LEGACY_MODE 0x00000004
#define XNN_FLAG_ALIGN_CORNERS 0x00000008
#define XNN_FLAG_KEEP_DIMS 0x00000040

// Of runtimes.
#define XNN_FLAG_DONT_SPIN_WORKERS 0x00000010

extern "C" {

enum xnn_status {
  xnn_status_success = 0,
  xnn_status_uninitialized = 1,
  xnn_status_invalid_parameter = 2,
  xnn_status_invalid_state = 3,
  xnn_status_unsupported_parameter = 4,
  xnn_status_unsupported_hardware = 5,
  xnn_status_out_of_memory = 6,
  xnn_status_reallocation_required = 7,
  xnn_status_deprecated = 8,
};

enum xnn_datatype {
  xnn_datatype_invalid = 0,
  xnn_datatype_fp32 = 1,
  xnn_datatype_fp16 = 2,
  xnn_datatype_qint8 = 3,
  xnn_datatype_quint8 = 4,
  xnn_datatype_qint32 = 5,
  xnn_datatype_qcint8 = 6,
  xnn_datatype_qcint32 = 7,
  xnn_datatype_qcint4 = 8,
  xnn_datatype_qdint8 = 9,
  xnn_datatype_int32 = 11,
  xnn_datatype_qbint4 = 12,
  xnn_datatype_bf16 = 14,
};

enum xnn_unary_operator {
  xnn_unary_invalid = -1,
  xnn_unary_abs = 0,
  xnn_unary_ceiling = 3,
  xnn_unary_clamp = 4,
  xnn_unary_convert = 5,
  xnn_unary_cosine = 6,
  xnn_unary_elu = 7,
  xnn_unary_exp = 8,
  xnn_unary_floor = 9,
  xnn_unary_gelu = 10,
  xnn_unary_hardswish = 11,
  xnn_unary_leaky_relu = 12,
  xnn_unary_log = 13,
  xnn_unary_negate = 14,
  xnn_unary_reciprocal_square_root = 15,
  xnn_unary_sigmoid = 16,
  xnn_unary_sine = 17,
  xnn_unary_square_root = 18,
  xnn_unary_square = 19,
  xnn_unary_tanh = 20,
};

enum xnn_binary_operator {
  xnn_binary_invalid = -1,
  xnn_binary_add = 0,
  xnn_binary_subtract = 1,
  xnn_binary_multiply = 2,
  xnn_binary_divide = 3,
  xnn_binary_maximum = 4,
  xnn_binary_minimum = 5,
  xnn_binary_prelu = 8,
};

enum xnn_reduce_operator {
  xnn_reduce_mean = 2,
};

// Of the attention nodes that this XNNPACK has no function for.
enum xnn_attention_logits_cap_type {
  xnn_attention_logits_cap_type_none = 0,
};

struct xnn_allocator {
  void* context;
  void* (*allocate)(void* context, size_t size);
  void* (*reallocate)(void* context, void* pointer, size_t size);
  void (*deallocate)(void* context, void* pointer);
  void* (*aligned_allocate)(void* context, size_t alignment, size_t size);
  void (*aligned_deallocate)(void* context, void* pointer);
};

union xnn_unary_params {
  struct {
    float min;
    float max;
  } clamp;
  struct {
    float alpha;
  } elu;
  struct {
    float negative_slope;
  } leaky_relu;
};

struct xnn_binary_params {
  double output_min;
  double output_max;
};

struct xnn_external_value {
  uint32_t id;
  void* data;
};

struct xnn_weights_cache_look_up_key {
  uint32_t seed;
  const void* kernel;
  const void* bias;
  uint32_t fingerprint_id;
};

struct xnn_weights_cache_provider {
  void* context;
  size_t (*look_up)(void* context, const xnn_weights_cache_look_up_key* key);
  void* (*reserve_space)(void* context, size_t size);
  size_t (*look_up_or_insert)(void* context, const xnn_weights_cache_look_up_key* key, void* packed,
                              size_t size);
  bool (*is_finalized)(void* context);
  void* (*offset_to_addr)(void* context, size_t offset);
  xnn_status (*delete_cache)(void* context);
  xnn_status (*alias_data)(void* context, void* alias, void* original);
};

typedef xnn_weights_cache_provider* xnn_weights_cache_t;
typedef struct xnn_subgraph* xnn_subgraph_t;
typedef struct xnn_workspace* xnn_workspace_t;
typedef struct xnn_runtime* xnn_runtime_t;

// The process.

xnn_status xnn_initialize(const xnn_allocator* allocator);
const void* xnn_experimental_get_build_identifier_data();
size_t xnn_experimental_get_build_identifier_size();

// Runtimes.

xnn_status xnn_create_workspace(xnn_workspace_t* created);
xnn_status xnn_release_workspace(xnn_workspace_t workspace);
xnn_status xnn_create_runtime_v4(xnn_subgraph_t subgraph, xnn_weights_cache_t cache,
                                 xnn_workspace_t workspace, pthreadpool_t pool, uint32_t flags,
                                 xnn_runtime_t* created);
xnn_status xnn_delete_runtime(xnn_runtime_t runtime);
xnn_status xnn_reshape_external_value(xnn_runtime_t runtime, uint32_t id, size_t rank,
                                      const size_t* dims);
xnn_status xnn_get_external_value_shape(xnn_runtime_t runtime, uint32_t id, size_t* rank,
                                        size_t* dims);
xnn_status xnn_reshape_runtime(xnn_runtime_t runtime);
xnn_status xnn_setup_runtime_v2(xnn_runtime_t runtime, size_t count,
                                const xnn_external_value* values);
xnn_status xnn_invoke_runtime(xnn_runtime_t runtime);

// Subgraphs and their values.

xnn_status xnn_create_subgraph(uint32_t external_ids, uint32_t flags, xnn_subgraph_t* created);
xnn_status xnn_delete_subgraph(xnn_subgraph_t subgraph);
xnn_status xnn_define_tensor_value(xnn_subgraph_t subgraph, xnn_datatype datatype, size_t rank,
                                   const size_t* dims, const void* data, uint32_t external_id,
                                   uint32_t flags, uint32_t* id);
xnn_status xnn_define_quantized_tensor_value(xnn_subgraph_t subgraph, xnn_datatype datatype,
                                             int32_t zero_point, float scale, size_t rank,
                                             const size_t* dims, const void* data,
                                             uint32_t external_id, uint32_t flags, uint32_t* id);
xnn_status xnn_define_channelwise_quantized_tensor_value(xnn_subgraph_t subgraph,
                                                         xnn_datatype datatype, const float* scales,
                                                         size_t rank, size_t channel_dim,
                                                         const size_t* dims, const void* data,
                                                         uint32_t external_id, uint32_t flags,
                                                         uint32_t* id);
xnn_status xnn_define_channelwise_quantized_tensor_value_v2(
    xnn_subgraph_t subgraph, xnn_datatype datatype, int32_t zero_point, const float* scales,
    size_t rank, size_t channel_dim, const size_t* dims, const void* data, uint32_t external_id,
    uint32_t flags, uint32_t* id);
xnn_status xnn_define_blockwise_quantized_tensor_value(
    xnn_subgraph_t subgraph, xnn_datatype datatype, int32_t zero_point, const uint16_t* scales,
    size_t rank, size_t channel_dim, size_t block_size, const size_t* dims, const void* data,
    uint32_t external_id, uint32_t flags, uint32_t* id);
xnn_status xnn_define_dynamically_quantized_tensor_value(xnn_subgraph_t subgraph,
                                                         xnn_datatype datatype, size_t rank,
                                                         size_t inner_dims, const size_t* dims,
                                                         uint32_t external_id, uint32_t flags,
                                                         uint32_t* id);

// Nodes.

xnn_status xnn_define_unary(xnn_subgraph_t subgraph, xnn_unary_operator type,
                            const xnn_unary_params* params, uint32_t input, uint32_t output,
                            uint32_t flags);
xnn_status xnn_define_binary(xnn_subgraph_t subgraph, xnn_binary_operator type,
                             const xnn_binary_params* params, uint32_t input1, uint32_t input2,
                             uint32_t output, uint32_t flags);
xnn_status xnn_define_copy(xnn_subgraph_t subgraph, uint32_t input, uint32_t output,
                           uint32_t flags);
xnn_status xnn_define_fully_connected(xnn_subgraph_t subgraph, float min, float max, uint32_t input,
                                      uint32_t kernel, uint32_t bias, uint32_t output,
                                      uint32_t flags);
xnn_status xnn_define_batch_matrix_multiply(xnn_subgraph_t subgraph, uint32_t input1,
                                            uint32_t input2, uint32_t output, uint32_t flags);
xnn_status xnn_define_softmax(xnn_subgraph_t subgraph, uint32_t input, uint32_t output,
                              uint32_t flags);

xnn_status xnn_define_convolution_2d(
    xnn_subgraph_t subgraph, uint32_t padding_top, uint32_t padding_right, uint32_t padding_bottom,
    uint32_t padding_left, uint32_t kernel_height, uint32_t kernel_width, uint32_t stride_height,
    uint32_t stride_width, uint32_t dilation_height, uint32_t dilation_width, uint32_t groups,
    size_t group_inputs, size_t group_outputs, float min, float max, uint32_t input,
    uint32_t kernel, uint32_t bias, uint32_t output, uint32_t flags);
xnn_status xnn_define_depthwise_convolution_2d(
    xnn_subgraph_t subgraph, uint32_t padding_top, uint32_t padding_right, uint32_t padding_bottom,
    uint32_t padding_left, uint32_t kernel_height, uint32_t kernel_width, uint32_t stride_height,
    uint32_t stride_width, uint32_t dilation_height, uint32_t dilation_width, uint32_t multiplier,
    size_t inputs, float min, float max, uint32_t input, uint32_t kernel, uint32_t bias,
    uint32_t output, uint32_t flags);
xnn_status xnn_define_deconvolution_2d(
    xnn_subgraph_t subgraph, uint32_t padding_top, uint32_t padding_right, uint32_t padding_bottom,
    uint32_t padding_left, uint32_t adjustment_height, uint32_t adjustment_width,
    uint32_t kernel_height, uint32_t kernel_width, uint32_t stride_height, uint32_t stride_width,
    uint32_t dilation_height, uint32_t dilation_width, uint32_t groups, size_t group_inputs,
    size_t group_outputs, float min, float max, uint32_t input, uint32_t kernel, uint32_t bias,
    uint32_t output, uint32_t flags);
xnn_status xnn_define_max_pooling_2d(xnn_subgraph_t subgraph, uint32_t padding_top,
                                     uint32_t padding_right, uint32_t padding_bottom,
                                     uint32_t padding_left, uint32_t window_height,
                                     uint32_t window_width, uint32_t stride_height,
                                     uint32_t stride_width, uint32_t dilation_height,
                                     uint32_t dilation_width, float min, float max, uint32_t input,
                                     uint32_t output, uint32_t flags);
xnn_status xnn_define_average_pooling_2d(xnn_subgraph_t subgraph, uint32_t padding_top,
                                         uint32_t padding_right, uint32_t padding_bottom,
                                         uint32_t padding_left, uint32_t window_height,
                                         uint32_t window_width, uint32_t stride_height,
                                         uint32_t stride_width, float min, float max,
                                         uint32_t input, uint32_t output, uint32_t flags);
xnn_status xnn_define_argmax_pooling_2d(xnn_subgraph_t subgraph, uint32_t padding_top,
                                        uint32_t padding_right, uint32_t padding_bottom,
                                        uint32_t padding_left, uint32_t window_height,
                                        uint32_t window_width, uint32_t input, uint32_t output,
                                        uint32_t index, uint32_t flags);
xnn_status xnn_define_static_resize_bilinear_2d(xnn_subgraph_t subgraph, size_t height,
                                                size_t width, uint32_t input, uint32_t output,
                                                uint32_t flags);

xnn_status xnn_define_static_reduce(xnn_subgraph_t subgraph, xnn_reduce_operator type, size_t count,
                                    const size_t* axes, uint32_t input, uint32_t output,
                                    uint32_t flags);
xnn_status xnn_define_concatenate(xnn_subgraph_t subgraph, int32_t axis, size_t count,
                                  const uint32_t* inputs, uint32_t output, uint32_t flags);
xnn_status xnn_define_static_constant_pad_v2(xnn_subgraph_t subgraph, size_t rank,
                                             const size_t* before, const size_t* after, float value,
                                             uint32_t input, uint32_t output, uint32_t flags);
xnn_status xnn_define_static_slice(xnn_subgraph_t subgraph, size_t rank, const size_t* offsets,
                                   const size_t* sizes, uint32_t input, uint32_t output,
                                   uint32_t flags);
xnn_status xnn_define_static_reshape(xnn_subgraph_t subgraph, size_t rank, const size_t* dims,
                                     uint32_t input, uint32_t output, uint32_t flags);
xnn_status xnn_define_static_expand_dims(xnn_subgraph_t subgraph, size_t count, const size_t* axes,
                                         uint32_t input, uint32_t output, uint32_t flags);
xnn_status xnn_define_static_transpose(xnn_subgraph_t subgraph, size_t rank, const size_t* order,
                                       uint32_t input, uint32_t output, uint32_t flags);

}  // extern "C"

#endif  // ONEPACK_DELEGATE_XNN_EXECUTORCH_XNNPACK_H_
