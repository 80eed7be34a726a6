// Small graphs made with XNNPACK's own calls, and runtimes of them over a provider.

#ifndef ONEPACK_TESTS_DELEGATE_XNN_XNN_GRAPH_H_
#define ONEPACK_TESTS_DELEGATE_XNN_XNN_GRAPH_H_

#include <stddef.h>
#include <stdint.h>

#include <memory>
#include <vector>

#include "base/mapping.h"
#include "delegate/xnn/handles.h"
#include "delegate/xnn/weight_table.h"
#include "delegate/xnn/xnnpack.h"
#include "onepack/status.h"

namespace onepack {

using Dims = std::vector<size_t>;

// A constant of a graph in pages of its own.
class ConstantPages {
 public:
  // Numbers that depend on `seed`, between -1 and 1.
  static ConstantPages OfFloats(size_t count, int seed);
  // The same as int8, between -100 and 100.
  static ConstantPages OfInt8(size_t count, int seed);

  const void* data() const { return mapping_.data(); }
  const float* floats() const { return reinterpret_cast<const float*>(mapping_.data()); }

 private:
  explicit ConstantPages(size_t size);

  Mapping mapping_;
};

// A subgraph under construction. A step that XNNPACK refuses fails the test.
class TestGraph {
 public:
  explicit TestGraph(uint32_t external_values);

  uint32_t Input(uint32_t external_id, const Dims& dims);
  uint32_t Output(uint32_t external_id, const Dims& dims);
  // qdint8 values of an input whose last dimension is quantized as one.
  uint32_t Quantized(uint32_t input, const Dims& dims);
  uint32_t Constant(const Dims& dims, const void* data);
  // int8 with a scale for each row, or output channel.
  uint32_t ChannelwiseConstant(const Dims& dims, const void* data, const float* scales);

  void FullyConnected(uint32_t input, uint32_t kernel, uint32_t bias, uint32_t output,
                      float output_max = 1e30f);
  // Without padding, with stride 1. `kernel` is [outputs, size, size, inputs / groups].
  void Convolution(size_t size, uint32_t groups, size_t inputs, size_t outputs, uint32_t input,
                   uint32_t kernel, uint32_t bias, uint32_t output);
  // The same, by XNNPACK's own node for it. `kernel` is [1, size, size, channels].
  void DepthwiseConvolution(size_t size, size_t channels, uint32_t input, uint32_t kernel,
                            uint32_t bias, uint32_t output);

  xnn_subgraph_t get() const { return subgraph_.get(); }

 private:
  XnnSubgraph subgraph_;
};

// A runtime over a weight table, deleted in the right order.
class BuiltSubgraph {
 public:
  explicit BuiltSubgraph(const std::shared_ptr<PackedWeightCache>& cache);

  WeightTable& table() { return table_; }
  bool has_runtime() const { return runtime_ != nullptr; }

  // Creates the runtime. What WeightTable::End says. REQUIRES: once.
  Status Build(const TestGraph& graph, Span<const WeightTable::Row> rows,
               Span<const PackedWeight> pins);
  // As XNNPACK said itself.
  xnn_status create_status() const { return create_status_; }

  // Input 0 through the graph; `outputs` are those with the ids from 1 on, and are filled.
  void Run(const Dims& input_dims, const std::vector<float>& input,
           std::vector<std::vector<float>>* outputs);
  // For a graph with one output.
  std::vector<float> Run(const Dims& input_dims, const std::vector<float>& input,
                         size_t output_size);

  // What XNNPACK gets for an offset.
  const uint8_t* Packed(size_t offset);

 private:
  WeightTable table_;
  XnnWorkspace workspace_;
  XnnRuntime runtime_;
  xnn_status create_status_ = xnn_status_success;
};

// Creates a runtime over a provider, and deletes it.
xnn_status CreateAndDelete(const TestGraph& graph, xnn_weights_cache_t provider);

// Numbers that depend on `seed`, between -1 and 1.
std::vector<float> Floats(size_t count, int seed);

}  // namespace onepack

#endif  // ONEPACK_TESTS_DELEGATE_XNN_XNN_GRAPH_H_
