// The quirks of XNNPACK that onepack works round, by their numbers in delegate/xnn/quirks.h: each
// test fails when its quirk is gone. Number 1 is in initialize_test.cpp.

#include "delegate/xnn/quirks.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "delegate/xnn/handles.h"
#include "delegate/xnn/initialize.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

using Dims = std::vector<size_t>;

constexpr uint32_t kMaxExternals = 8;
constexpr float kNoMax = 1e30f;

void Require(xnn_status status) { ASSERT_EQ(status, xnn_status_success); }

// A provider that finds everything or nothing and records what it is asked.
class RecordingProvider {
 public:
  explicit RecordingProvider(bool finds) : finds_(finds) {
    provider_.context = this;
    provider_.look_up = [](void* context, const xnn_weights_cache_look_up_key* key) {
      auto& self = Of(context);
      self.seeds.push_back(key->seed);
      return self.finds_ ? size_t{0} : SIZE_MAX;
    };
    provider_.reserve_space = [](void* context, size_t size) -> void* {
      auto& self = Of(context);
      if (size > sizeof(self.packed_)) return nullptr;
      return self.packed_;
    };
    provider_.look_up_or_insert = [](void* context, const xnn_weights_cache_look_up_key*,
                                     void* packed, size_t) {
      ++(packed != nullptr ? Of(context).insertions : Of(context).null_insertions);
      return size_t{0};
    };
    provider_.is_finalized = [](void*) { return true; };
    provider_.offset_to_addr = [](void* context, size_t) -> void* { return Of(context).packed_; };
    provider_.delete_cache = [](void*) { return xnn_status_invalid_state; };
    SetAliasData(provider_, [](void* context, void*, void*) {
      ++Of(context).copies;
      return xnn_status_success;
    });
  }

  xnn_weights_cache_t handle() { return &provider_; }

  std::vector<uint32_t> seeds;  // of all look-ups
  size_t insertions = 0;
  size_t null_insertions = 0;
  size_t copies = 0;

 private:
  static RecordingProvider& Of(void* context) { return *static_cast<RecordingProvider*>(context); }

  const bool finds_;
  xnn_weights_cache_provider provider_{};
  alignas(64) uint8_t packed_[1 << 16] = {};
};

// A graph under construction, and the runtime of it.
class Graph {
 public:
  Graph() {
    EXPECT_TRUE(IsOk(InitializeXnnpack()));
    xnn_subgraph_t created = nullptr;
    Require(xnn_create_subgraph(kMaxExternals, 0, &created));
    subgraph_.reset(created);
  }

  xnn_subgraph_t get() const { return subgraph_.get(); }

  uint32_t Value(const Dims& dims, const void* constant = nullptr,
                 xnn_datatype datatype = xnn_datatype_fp32) {
    return Define(dims, constant, datatype, XNN_INVALID_VALUE_ID, 0);
  }
  uint32_t Input(const Dims& dims, xnn_datatype datatype = xnn_datatype_fp32) {
    return External(dims, datatype, XNN_VALUE_FLAG_EXTERNAL_INPUT);
  }
  uint32_t Output(const Dims& dims, xnn_datatype datatype = xnn_datatype_fp32) {
    return External(dims, datatype, XNN_VALUE_FLAG_EXTERNAL_OUTPUT);
  }

  xnn_status Create(xnn_weights_cache_t cache = nullptr, uint32_t flags = kRuntimeFlags) {
    xnn_workspace_t workspace = nullptr;
    Require(xnn_create_workspace(&workspace));
    workspace_.reset(workspace);
    xnn_runtime_t runtime = nullptr;
    const xnn_status status =
        xnn_create_runtime_v4(get(), cache, workspace, nullptr, flags, &runtime);
    runtime_.reset(runtime);
    return status;
  }

  xnn_runtime_t runtime() const { return runtime_.get(); }
  std::vector<float>& numbers(uint32_t external) { return numbers_[external]; }

  void Reshape(uint32_t external, const Dims& dims) {
    Require(xnn_reshape_external_value(runtime(), external, dims.size(), dims.data()));
  }
  // After it, numbers() of the outputs.
  void Run() {
    Require(xnn_reshape_runtime(runtime()));
    std::vector<xnn_external_value> values;
    for (uint32_t i = 0; i < count_; ++i) values.push_back({i, numbers_[i].data()});
    Require(xnn_setup_runtime_v2(runtime(), values.size(), values.data()));
    Require(xnn_invoke_runtime(runtime()));
  }

 private:
  uint32_t External(const Dims& dims, xnn_datatype datatype, uint32_t flags) {
    numbers_[count_].assign(1024, 0.0f);
    return Define(dims, nullptr, datatype, count_++, flags);
  }
  uint32_t Define(const Dims& dims, const void* constant, xnn_datatype datatype, uint32_t external,
                  uint32_t flags) {
    uint32_t id = XNN_INVALID_VALUE_ID;
    Require(xnn_define_tensor_value(get(), datatype, dims.size(), dims.data(), constant, external,
                                    flags, &id));
    return id;
  }

  XnnSubgraph subgraph_;
  XnnWorkspace workspace_;
  XnnRuntime runtime_;
  uint32_t count_ = 0;
  std::vector<float> numbers_[kMaxExternals];
};

const std::vector<float>& Ones() {
  static const std::vector<float> ones(4096, 1.0f);
  return ones;
}

// Whether a process of its own that does this comes to its end.
template <typename Action>
bool Survives(const Action& action) {
  const pid_t child = fork();
  if (child == 0) {
    // What a sanitizer or a test has to say of it is expected.
    close(STDOUT_FILENO);
    close(STDERR_FILENO);
    action();
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

enum class Kind { kConvolution, kOneToOne, kDepthwise, kTransposed };

// Of 4 channels each; a 1x1 window.
void DefineConvolution(Graph& graph, Kind kind) {
  const uint32_t channels = 4;
  const bool is_grouped = kind == Kind::kOneToOne || kind == Kind::kDepthwise;
  const Dims image = {1, 3, 3, channels};
  const uint32_t size = kind == Kind::kOneToOne ? 1 : 2;
  const Dims out_image = kind == Kind::kTransposed ? Dims{1, 4, 4, channels}
                         : size == 1               ? image
                                                   : Dims{1, 2, 2, channels};
  const uint32_t input = graph.Input(image);
  const uint32_t output = graph.Output(out_image);
  const Dims filter_dims = kind == Kind::kDepthwise
                               ? Dims{1, size, size, channels}
                               : Dims{channels, size, size, is_grouped ? 1 : channels};
  const uint32_t filter = graph.Value(filter_dims, Ones().data());
  const uint32_t bias = graph.Value({channels}, Ones().data());
  const auto subgraph = graph.get();
  if (kind == Kind::kDepthwise) {
    Require(xnn_define_depthwise_convolution_2d(subgraph, 0, 0, 0, 0, size, size, 1, 1, 1, 1, 1,
                                                channels, -kNoMax, kNoMax, input, filter, bias,
                                                output, 0));
  } else if (kind == Kind::kTransposed) {
    Require(xnn_define_deconvolution_2d(subgraph, 0, 0, 0, 0, 0, 0, size, size, 1, 1, 1, 1, 1,
                                        channels, channels, -kNoMax, kNoMax, input, filter, bias,
                                        output, 0));
  } else {
    const uint32_t groups = is_grouped ? channels : 1;
    Require(xnn_define_convolution_2d(subgraph, 0, 0, 0, 0, size, size, 1, 1, 1, 1, groups,
                                      channels / groups, channels / groups, -kNoMax, kNoMax, input,
                                      filter, bias, output, 0));
  }
}

// A convolution of four ones and a bias of one, to between 2 and 4. Right without fusion.
bool IsClampedTo4(uint32_t flags) {
  Graph graph;
  const uint32_t convolved = graph.Value({1, 2, 2, 4});
  const uint32_t input = graph.Input({1, 3, 3, 4});
  const uint32_t output = graph.Output({1, 2, 2, 4});
  const uint32_t filter = graph.Value({4, 2, 2, 4}, Ones().data());
  const xnn_unary_params params = {{2.0f, 4.0f}};
  Require(xnn_define_convolution_2d(graph.get(), 0, 0, 0, 0, 2, 2, 1, 1, 1, 1, 1, 4, 4, -kNoMax,
                                    kNoMax, input, filter, XNN_INVALID_VALUE_ID, convolved, 0));
  Require(xnn_define_unary(graph.get(), xnn_unary_clamp, &params, convolved, output, 0));
  if (graph.Create(nullptr, flags) != xnn_status_success) return false;
  graph.numbers(0).assign(1024, 1.0f);
  graph.Run();
  return graph.numbers(1)[0] == 4.0f && graph.numbers(1)[15] == 4.0f;
}

TEST(QuirksTest, Number2AFusedClampOverwritesThePaddingOfTheNodeBefore) {
  EXPECT_TRUE(IsClampedTo4(kRuntimeFlags));
  const bool is_right = Survives([] {
    if (!IsClampedTo4(0)) _exit(1);
  });
  EXPECT_EQ(!is_right, kFusionOverwritesParams);
}

// How a node's weight gets packed when it is looked up in vain.
struct Asked {
  bool looks_up;
  bool inserts;
};

Asked PackInVain(Kind kind) {
  RecordingProvider provider(/*finds=*/false);
  Graph graph;
  DefineConvolution(graph, kind);
  EXPECT_EQ(graph.Create(provider.handle()), xnn_status_success);
  return {!provider.seeds.empty(), provider.insertions > 0};
}

TEST(QuirksTest, Number3ADepthwiseConvolutionPacksItsFilterForItselfAlone) {
  const Asked asked = PackInVain(Kind::kDepthwise);
  EXPECT_EQ(asked.looks_up, !kDepthwiseKeepsItsFilter);
  EXPECT_EQ(asked.inserts, !kDepthwiseKeepsItsFilter);
}

TEST(QuirksTest, Number4SomeConvolutionsPackWithoutLookingUp) {
  const Asked transposed = PackInVain(Kind::kTransposed);
  EXPECT_FALSE(transposed.looks_up);
  EXPECT_TRUE(transposed.inserts);
  const Asked one_to_one = PackInVain(Kind::kOneToOne);
  EXPECT_EQ(one_to_one.looks_up, !kOneToOnePacksUnasked);
  EXPECT_TRUE(one_to_one.inserts);
  EXPECT_TRUE(PackInVain(Kind::kConvolution).looks_up);
}

TEST(QuirksTest, Number5AConvolutionThatHasFoundItsWeightInsertsNothing) {
  RecordingProvider provider(/*finds=*/true);
  Graph graph;
  DefineConvolution(graph, Kind::kConvolution);
  ASSERT_EQ(graph.Create(provider.handle()), xnn_status_success);
  EXPECT_EQ(provider.seeds.size(), 1u);
  EXPECT_EQ(provider.null_insertions == 1, kInsertsNothingAfterAHit);
}

uint32_t SeedOfFullyConnected(size_t inputs, size_t outputs) {
  RecordingProvider provider(/*finds=*/true);
  Graph graph;
  const uint32_t input = graph.Input({1, inputs});
  const uint32_t output = graph.Output({1, outputs});
  const uint32_t kernel = graph.Value({outputs, inputs}, Ones().data());
  Require(xnn_define_fully_connected(graph.get(), -kNoMax, kNoMax, input, kernel,
                                     XNN_INVALID_VALUE_ID, output, 0));
  EXPECT_EQ(graph.Create(provider.handle()), xnn_status_success);
  EXPECT_EQ(provider.seeds.size(), 1u);
  return provider.seeds.empty() ? 0 : provider.seeds[0];
}

TEST(QuirksTest, Number6WeightsOfDifferentSizesHaveOneSeed) {
  EXPECT_EQ(SeedOfFullyConnected(128, 256), SeedOfFullyConnected(256, 128));
  EXPECT_NE(SeedOfFullyConnected(128, 256), SeedOfFullyConnected(128, 320));
}

TEST(QuirksTest, Number7AnInputThatBecomesTheSmallerOneIsOverwritten) {
  constexpr size_t kRows = 8, kColumns = 64;
  const Dims all = {kRows, kColumns};
  Graph graph;
  const uint32_t small = graph.Input(all);
  const uint32_t large = graph.Input(all);
  const uint32_t output = graph.Output(all);
  const uint32_t negative = graph.Value(all);
  const uint32_t sum = graph.Value(all);
  const xnn_subgraph_t subgraph = graph.get();
  Require(xnn_define_unary(subgraph, xnn_unary_negate, nullptr, small, negative, 0));
  Require(xnn_define_binary(subgraph, xnn_binary_add, nullptr, negative, large, sum, 0));
  Require(xnn_define_unary(subgraph, xnn_unary_negate, nullptr, sum, output, 0));
  ASSERT_EQ(graph.Create(), xnn_status_success);
  graph.numbers(0).assign(1024, 1.0f);
  graph.numbers(1).assign(1024, 3.0f);
  const auto count_right = [&] {
    graph.Run();
    const std::vector<float>& found = graph.numbers(2);
    return std::count(found.begin(), found.begin() + kRows * kColumns, -2.0f);
  };
  EXPECT_EQ(count_right(), kRows * kColumns);
  graph.Reshape(0, {1, kColumns});
  EXPECT_EQ(count_right() != kRows * kColumns, kPlansGoStale);
}

TEST(QuirksTest, Number8AnArgMaxWhoseIndicesNothingReadsCrashes) {
  EXPECT_FALSE(Survives([] {
    Graph graph;
    const uint32_t input = graph.Input({1, 4, 4, 32});
    const uint32_t output = graph.Output({1, 2, 2, 32});
    const uint32_t index = graph.Value({1, 2, 2, 32}, nullptr, xnn_datatype_int32);
    Require(xnn_define_argmax_pooling_2d(graph.get(), 0, 0, 0, 0, 2, 2, input, output, index, 0));
    if (graph.Create() != xnn_status_success) _exit(1);
    graph.Run();
  }));
}

TEST(QuirksTest, Number9TheShapeOfIndicesIsNotComputed) {
  Graph graph;
  const uint32_t input = graph.Input({1, 4, 4, 1});
  const uint32_t output = graph.Output({1, 2, 2, 1});
  const uint32_t index = graph.Output({1, 2, 2, 1}, xnn_datatype_int32);
  Require(xnn_define_argmax_pooling_2d(graph.get(), 0, 0, 0, 0, 2, 2, input, output, index, 0));
  ASSERT_EQ(graph.Create(), xnn_status_success);
  graph.Reshape(0, {1, 8, 8, 1});
  Require(xnn_reshape_runtime(graph.runtime()));
  size_t rank = 0;
  size_t dims[XNN_MAX_TENSOR_DIMS] = {};
  Require(xnn_get_external_value_shape(graph.runtime(), 1, &rank, dims));
  EXPECT_EQ(dims[1], 4u);
  Require(xnn_get_external_value_shape(graph.runtime(), 2, &rank, dims));
  EXPECT_EQ(dims[1] == 2, kIndicesHaveNoShape) << dims[1];
}

TEST(QuirksTest, Number10ScalesAreCheckedWhenAValueIsDefined) {
  Graph graph;
  const float scales[] = {1.0f, 0.0f};
  const size_t dims[] = {2, 8};
  const std::vector<int8_t> weights(64);
  uint32_t id = XNN_INVALID_VALUE_ID;
  EXPECT_EQ(xnn_define_channelwise_quantized_tensor_value(graph.get(), xnn_datatype_qcint8, scales,
                                                          2, 0, dims, weights.data(),
                                                          XNN_INVALID_VALUE_ID, 0, &id),
            xnn_status_invalid_parameter);
}

TEST(QuirksTest, Number11RowsThatWereQuantizedOutsideAreNotTaken) {
  EXPECT_FALSE(Survives([] {
    Graph graph;
    const size_t dims[] = {1, 32};
    const size_t kernel_dims[] = {8, 32};
    const std::vector<int8_t> weights(1024);
    uint32_t input = XNN_INVALID_VALUE_ID;
    uint32_t kernel = XNN_INVALID_VALUE_ID;
    if (xnn_define_dynamically_quantized_tensor_value(
            graph.get(), xnn_datatype_qdint8, 2, 1, dims, kMaxExternals - 1,
            XNN_VALUE_FLAG_EXTERNAL_INPUT, &input) != xnn_status_success) {
      _exit(1);
    }
    Require(xnn_define_channelwise_quantized_tensor_value(
        graph.get(), xnn_datatype_qcint8, Ones().data(), 2, 0, kernel_dims, weights.data(),
        XNN_INVALID_VALUE_ID, 0, &kernel));
    const uint32_t output = graph.Output({1, 8});
    if (xnn_define_fully_connected(graph.get(), -kNoMax, kNoMax, input, kernel,
                                   XNN_INVALID_VALUE_ID, output, 0) != xnn_status_success) {
      _exit(1);
    }
    if (graph.Create() != xnn_status_success) _exit(1);
  }));
}

TEST(QuirksTest, Number12NodesThatMoveElementsHaveNoKernelForBf16) {
  Graph graph;
  const uint32_t input = graph.Input({2, 3}, xnn_datatype_bf16);
  const uint32_t output = graph.Output({2, 2}, xnn_datatype_bf16);
  const size_t offsets[] = {0, 1};
  const size_t sizes[] = {2, 2};
  xnn_status status = xnn_define_static_slice(graph.get(), 2, offsets, sizes, input, output, 0);
  if (status == xnn_status_success) status = graph.Create();
  EXPECT_EQ(status != xnn_status_success, kMovesNoBf16) << status;
}

TEST(QuirksTest, Number13HalfConstantsAreCopiedBeforeAnyLookUp) {
  RecordingProvider provider(/*finds=*/true);
  Graph graph;
  const uint32_t input = graph.Input({16}, xnn_datatype_bf16);
  const uint32_t output = graph.Output({16}, xnn_datatype_bf16);
  const uint32_t constant = graph.Value({16}, Ones().data(), xnn_datatype_bf16);
  Require(xnn_define_binary(graph.get(), xnn_binary_add, nullptr, input, constant, output, 0));
  ASSERT_EQ(graph.Create(provider.handle()), xnn_status_success);
  EXPECT_EQ(provider.copies == 1, kCopiesHalfConstants);
}

TEST(QuirksTest, Number14TilesDependOnTheNumberOfChannels) {
  const auto seed_without_sizes = [](size_t channels) {
    return SeedOfFullyConnected(64, channels) ^ channels;
  };
  const bool depend = seed_without_sizes(1024) != seed_without_sizes(104);
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) {
    EXPECT_EQ(depend, kTilesDependOnChannels);
  }
#endif
  EXPECT_TRUE(kTilesDependOnChannels || !depend);
}

}  // namespace
}  // namespace onepack
