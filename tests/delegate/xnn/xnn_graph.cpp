#include "tests/delegate/xnn/xnn_graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <stdexcept>
#include <string>

namespace onepack {
namespace {

constexpr float kUnlimited = 1e30f;

void Require(xnn_status status, const char* what) {
  if (status == xnn_status_success) return;
  throw std::runtime_error(std::string(what) + ": XNNPACK says " + std::to_string(status));
}

xnn_subgraph_t CreateSubgraph(uint32_t external_values) {
  Require(xnn_initialize(nullptr), "xnn_initialize");
  xnn_subgraph_t subgraph = nullptr;
  Require(xnn_create_subgraph(external_values, 0, &subgraph), "xnn_create_subgraph");
  return subgraph;
}

uint32_t DefineFloats(xnn_subgraph_t subgraph, const Dims& dims, const void* data,
                      uint32_t external_id, uint32_t flags) {
  uint32_t id = XNN_INVALID_VALUE_ID;
  Require(xnn_define_tensor_value(subgraph, xnn_datatype_fp32, dims.size(), dims.data(), data,
                                  external_id, flags, &id),
          "xnn_define_tensor_value");
  return id;
}

xnn_workspace_t CreateWorkspace() {
  Require(xnn_initialize(nullptr), "xnn_initialize");
  xnn_workspace_t workspace = nullptr;
  Require(xnn_create_workspace(&workspace), "xnn_create_workspace");
  return workspace;
}

}  // namespace

std::vector<float> Floats(size_t count, int seed) {
  std::mt19937 random(static_cast<unsigned>(seed));
  std::vector<float> numbers(count);
  for (float& number : numbers) number = static_cast<float>(random() % 2001) / 1000.0f - 1.0f;
  return numbers;
}

ConstantPages::ConstantPages(size_t size) {
  auto mapping = Mapping::OfZeros(size + XNN_EXTRA_BYTES);
  if (!mapping.ok()) throw std::runtime_error(mapping.status().message());
  mapping_ = std::move(mapping).value();
}

ConstantPages ConstantPages::OfFloats(size_t count, int seed) {
  ConstantPages pages(count * sizeof(float));
  const std::vector<float> numbers = Floats(count, seed);
  std::copy(numbers.begin(), numbers.end(), reinterpret_cast<float*>(pages.mapping_.data()));
  return pages;
}

ConstantPages ConstantPages::OfInt8(size_t count, int seed) {
  ConstantPages pages(count);
  const std::vector<float> numbers = Floats(count, seed);
  std::transform(numbers.begin(), numbers.end(), pages.mapping_.data(), [](float number) {
    return static_cast<uint8_t>(static_cast<int8_t>(100.0f * number));
  });
  return pages;
}

TestGraph::TestGraph(uint32_t external_values) : subgraph_(CreateSubgraph(external_values)) {}

uint32_t TestGraph::Input(uint32_t external_id, const Dims& dims) {
  return DefineFloats(get(), dims, nullptr, external_id, XNN_VALUE_FLAG_EXTERNAL_INPUT);
}

uint32_t TestGraph::Output(uint32_t external_id, const Dims& dims) {
  return DefineFloats(get(), dims, nullptr, external_id, XNN_VALUE_FLAG_EXTERNAL_OUTPUT);
}

uint32_t TestGraph::Quantized(uint32_t input, const Dims& dims) {
  uint32_t id = XNN_INVALID_VALUE_ID;
  Require(xnn_define_dynamically_quantized_tensor_value(get(), xnn_datatype_qdint8, dims.size(),
                                                        /*num_nonbatch_dims=*/1, dims.data(),
                                                        XNN_INVALID_VALUE_ID, 0, &id),
          "xnn_define_dynamically_quantized_tensor_value");
  Require(xnn_define_unary(get(), xnn_unary_convert, nullptr, input, id, 0), "xnn_define_unary");
  return id;
}

uint32_t TestGraph::Constant(const Dims& dims, const void* data) {
  return DefineFloats(get(), dims, data, XNN_INVALID_VALUE_ID, 0);
}

uint32_t TestGraph::ChannelwiseConstant(const Dims& dims, const void* data, const float* scales) {
  uint32_t id = XNN_INVALID_VALUE_ID;
  Require(xnn_define_channelwise_quantized_tensor_value(get(), xnn_datatype_qcint8, scales,
                                                        dims.size(), /*channel_dim=*/0, dims.data(),
                                                        data, XNN_INVALID_VALUE_ID, 0, &id),
          "xnn_define_channelwise_quantized_tensor_value");
  return id;
}

void TestGraph::FullyConnected(uint32_t input, uint32_t kernel, uint32_t bias, uint32_t output,
                               float output_max) {
  Require(
      xnn_define_fully_connected(get(), -kUnlimited, output_max, input, kernel, bias, output, 0),
      "xnn_define_fully_connected");
}

void TestGraph::Convolution(size_t size, uint32_t groups, size_t inputs, size_t outputs,
                            uint32_t input, uint32_t kernel, uint32_t bias, uint32_t output) {
  const auto side = static_cast<uint32_t>(size);
  Require(xnn_define_convolution_2d(get(), 0, 0, 0, 0, side, side, 1, 1, 1, 1, groups,
                                    inputs / groups, outputs / groups, -kUnlimited, kUnlimited,
                                    input, kernel, bias, output, 0),
          "xnn_define_convolution_2d");
}

void TestGraph::DepthwiseConvolution(size_t size, size_t channels, uint32_t input, uint32_t kernel,
                                     uint32_t bias, uint32_t output) {
  const auto side = static_cast<uint32_t>(size);
  Require(xnn_define_depthwise_convolution_2d(get(), 0, 0, 0, 0, side, side, 1, 1, 1, 1,
                                              /*depth_multiplier=*/1, channels, -kUnlimited,
                                              kUnlimited, input, kernel, bias, output, 0),
          "xnn_define_depthwise_convolution_2d");
}

BuiltSubgraph::BuiltSubgraph(const std::shared_ptr<PackedWeightCache>& cache)
    : table_(cache), workspace_(CreateWorkspace()) {}

Status BuiltSubgraph::Build(const TestGraph& graph, Span<const WeightTable::Row> rows,
                            Span<const PackedWeight> pins) {
  table_.Begin(rows, pins);
  xnn_runtime_t runtime = nullptr;
  create_status_ = xnn_create_runtime_v4(graph.get(), table_.handle(), workspace_.get(),
                                         /*threadpool=*/nullptr, kRuntimeFlags, &runtime);
  runtime_.reset(runtime);
  return table_.End();
}

void BuiltSubgraph::Run(const Dims& input_dims, const std::vector<float>& input,
                        std::vector<std::vector<float>>* outputs) {
  std::vector<float> padded = input;
  padded.resize(input.size() + XNN_EXTRA_BYTES / sizeof(float));
  std::vector<xnn_external_value> values = {{0, padded.data()}};
  for (std::vector<float>& output : *outputs) {
    values.push_back({static_cast<uint32_t>(values.size()), output.data()});
  }
  xnn_runtime_t runtime = runtime_.get();
  Require(xnn_reshape_external_value(runtime, 0, input_dims.size(), input_dims.data()),
          "xnn_reshape_external_value");
  Require(xnn_reshape_runtime(runtime), "xnn_reshape_runtime");
  Require(xnn_setup_runtime_v2(runtime, values.size(), values.data()), "xnn_setup_runtime_v2");
  Require(xnn_invoke_runtime(runtime), "xnn_invoke_runtime");
}

std::vector<float> BuiltSubgraph::Run(const Dims& input_dims, const std::vector<float>& input,
                                      size_t output_size) {
  std::vector<std::vector<float>> outputs = {std::vector<float>(output_size)};
  Run(input_dims, input, &outputs);
  return outputs[0];
}

const uint8_t* BuiltSubgraph::Packed(size_t offset) {
  const xnn_weights_cache_provider* provider = table_.handle();
  return static_cast<const uint8_t*>(provider->offset_to_addr(provider->context, offset));
}

xnn_status CreateAndDelete(const TestGraph& graph, xnn_weights_cache_t provider) {
  const XnnWorkspace workspace = XnnWorkspace(CreateWorkspace());
  xnn_runtime_t created = nullptr;
  const xnn_status status = xnn_create_runtime_v4(graph.get(), provider, workspace.get(),
                                                  /*threadpool=*/nullptr, kRuntimeFlags, &created);
  const XnnRuntime runtime(created);
  return status;
}

}  // namespace onepack
